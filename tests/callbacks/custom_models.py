"""Models with a `train_step` of their own, as people write them."""

import keras
import tensorflow as tf
from small import CLASSES, F, T

LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


class Subclassed(keras.Model):
    """The commonest way to write Keras: no Input, no build."""

    def __init__(self, unroll: bool = False) -> None:
        super().__init__()
        self.recurrent = keras.layers.LSTM(3, unroll=unroll, name="recurrent")
        self.head = keras.layers.Dense(CLASSES, name="head")

    def call(self, x):
        return self.head(self.recurrent(x))


class TwoOptimizers(Subclassed):
    """Each part of the weights has an optimiser, and one tape is asked twice."""

    def compile(self, **options):
        super().compile(**options)
        self.optimizers = {"recurrent": keras.optimizers.SGD(0.1), "head": keras.optimizers.SGD(0.01)}

    def train_step(self, data):
        x, y = data
        with tf.GradientTape(persistent=True) as tape:
            loss = LOSS(y, self(x, training=True))
            scaled = 2.0 * loss
        for name, target in (("recurrent", loss), ("head", scaled)):
            weights = getattr(self, name).trainable_variables
            self.optimizers[name].apply_gradients(zip(tape.gradient(target, weights), weights, strict=True))
        return {"loss": loss}


class ByHand(Subclassed):
    """Gradient descent without an optimiser."""

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = LOSS(y, self(x, training=True))
        for weight, gradient in zip(
            self.trainable_variables, tape.gradient(loss, self.trainable_variables), strict=True
        ):
            weight.assign_sub(0.1 * gradient)
        return {"loss": loss}


class OwnLoss(Subclassed):
    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return LOSS(y, y_pred) + 0.1 * tf.reduce_mean(tf.square(y_pred))


class PartOfTheWeights(Subclassed):
    """The loss looks at the head alone: no gradient flows back through time."""

    def call(self, x):
        return self.head(tf.stop_gradient(self.recurrent(x)))


class Adversaries(keras.Model):
    """A GAN without a `call`: maker and critic learn in every training step."""

    def __init__(self, is_built: bool = True) -> None:
        super().__init__()
        first = [keras.Input((T, F))] if is_built else []
        maker = [*first, keras.layers.GRU(3, return_sequences=True, name="maker_gru"), keras.layers.Dense(F)]
        critic = [*first, keras.layers.LSTM(3, name="critic_lstm"), keras.layers.Dense(1)]
        self.maker = keras.Sequential(maker, name="maker")
        self.critic = keras.Sequential(critic, name="critic")

    def compile(self, **options):
        super().compile(**options)
        self.maker_optimizer, self.critic_optimizer = keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1)

    def losses_of(self, real):
        score = tf.reduce_mean(self.critic(self.maker(tf.ones_like(real))))
        return -score, score - tf.reduce_mean(self.critic(real))

    def train_step(self, data):
        with tf.GradientTape(persistent=True) as tape:
            maker_loss, critic_loss = self.losses_of(data[0])
        self._update(tape, critic_loss, self.critic, self.critic_optimizer)
        self._update(tape, maker_loss, self.maker, self.maker_optimizer)
        return {"loss": critic_loss}

    @staticmethod
    def _update(tape, loss, network, optimizer):
        weights = network.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return loss


class Alternating(Adversaries):
    """The critic learns in odd training steps, the maker in even ones; neither is built before the first."""

    def __init__(self) -> None:
        super().__init__(is_built=False)
        self.turn = self.add_weight(shape=(), dtype="int32", initializer="zeros", trainable=False, name="turn")

    def train_step(self, data):
        with tf.GradientTape(persistent=True) as tape:
            maker_loss, critic_loss = self.losses_of(data[0])
        for network, optimizer in ((self.critic, self.critic_optimizer), (self.maker, self.maker_optimizer)):
            optimizer.build(network.trainable_variables)
        self.turn.assign_add(1)
        loss = tf.cond(
            tf.equal(self.turn % 2, 1),
            lambda: self._update(tape, critic_loss, self.critic, self.critic_optimizer),
            lambda: self._update(tape, maker_loss, self.maker, self.maker_optimizer),
        )
        return {"loss": loss}
