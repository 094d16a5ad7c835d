"""A training run as one object."""

import json

import numpy as np
import pytest

from kerasunroll.data import open_source
from kerasunroll.errors import DataError, InputError
from kerasunroll.training.config import TrainingConfig


def config(**options) -> TrainingConfig:
    options = {"cell": "gru", "units": (3,), "timesteps": 4, **options}
    return TrainingConfig.for_source(open_source("digits", timesteps=4), **options)


def test_it_goes_through_json():
    original = config(unroll=[True], dropout=0.1, optimizer="sgd", clipnorm=None)
    assert TrainingConfig(**json.loads(original.model_dump_json())) == original


def test_the_stack_follows_the_source():
    stack = config().stack
    assert stack.input_shape == (4, 16)
    assert stack.head.classes == 10


def test_a_network_for_tokens_embeds_them(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("abcab" * 60)
    source = open_source(f"text:{path}", timesteps=8)
    stack = TrainingConfig.for_source(source, cell="lstm", units=(2,), source=f"text:{path}").stack
    assert (stack.embedding, stack.input_shape, stack.return_sequences) == (3, (8,), True)


def test_another_setting_is_the_same_run():
    loop = config()
    full = loop.with_unroll(True)
    assert full.setting == "full"
    assert full.with_unroll(False) == loop


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "Invalid batch_size: .*got 0"),
        ({"epochs": -1}, "Invalid epochs"),
        ({"optimizer": "best"}, "Invalid optimizer: .*'adam'.*got 'best'"),
        ({"learning_rate": float("nan")}, "Invalid learning_rate"),
        ({"clipnorm": 0}, "Invalid clipnorm"),
        ({"typo": 1}, "typo"),
    ],
)
def test_bad_arguments_are_named(options, message):
    with pytest.raises(InputError, match=message):
        config(**options)


def test_what_cannot_run_is_said_early():
    source = open_source("digits", timesteps=4)
    with pytest.raises(DataError, match="batch_size=5,000 is more than"):
        config(batch_size=5000).check(source)


def test_a_session_trains_on_every_source(tmp_path):
    from kerasunroll.training.session import prepare

    rng = np.random.default_rng(0)
    (tmp_path / "a.txt").write_text("hello, world. " * 40)
    (tmp_path / "a.csv").write_text("\n".join(f"{a:.4f},{b:.4f}" for a, b in rng.normal(size=(60, 2))))
    np.savez(tmp_path / "a.npz", x=rng.normal(size=(40, 4, 2)), y=rng.integers(3, size=40))
    runs = [
        ("digits", {"timesteps": 4}, "accuracy"),
        (f"text:{tmp_path / 'a.txt'}", {"timesteps": 4}, "accuracy"),
        (f"csv:{tmp_path / 'a.csv'}", {"timesteps": 4}, "mae"),
        (f"npz:{tmp_path / 'a.npz'}", {}, "accuracy"),
        ("adding", {"timesteps": 4, "examples": 40}, "mae"),
        ("copy", {"timesteps": 22, "examples": 40}, "accuracy"),
    ]
    for spec, options, metric in runs:
        source = open_source(spec, **options)
        training = TrainingConfig.for_source(
            source, cell="simple_rnn", units=(2,), source=spec, batch_size=8, **options
        )
        session = prepare(training)
        history = session.model.fit(session.source.train(8).take(2), verbose=0, shuffle=False).history
        assert set(history) == {"loss", metric}
        assert np.isfinite(history["loss"]).all()


def test_two_sessions_have_the_same_weights_and_batches():
    from kerasunroll.training.session import prepare

    one, two = prepare(config(seed=3)), prepare(config(seed=3).with_unroll(True))
    other = prepare(config(seed=4))
    for a, b in zip(one.model.get_weights(), two.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(one.model.get_weights()[0], other.model.get_weights()[0])
    for (x1, y1), (x2, y2) in zip(one.source.train(32).take(3), two.source.train(32).take(3), strict=True):
        np.testing.assert_array_equal(x1, x2)
        np.testing.assert_array_equal(y1, y2)
