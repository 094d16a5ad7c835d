"""The unroll settings that were passed."""

from typing import Any

from kerasunroll.errors import InputError
from kerasunroll.settings import Settings, parse_settings, settings_name


def settings_of(unroll: Any) -> list[Settings]:
    """Return the settings to compare.

    Args:
        unroll: One setting or a list of them, each as on the command line (`"loop"`, `"k8"`, `"loop,full"`) or as the
            factories take them (`False`, `8`, a tuple with one per layer).

    Raises:
        SettingError: If one is no setting.
        InputError: If one is there twice, or there is none at all.
    """
    listed = list(unroll) if isinstance(unroll, list | tuple) else [unroll]
    settings = [_setting(each) for each in listed]
    names = [settings_name(each) for each in settings]
    if not names:
        raise InputError("Expected at least one unroll setting, got an empty list. Give unroll=['loop', 'full'].")
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"Setting '{name}' is there twice in unroll={unroll!r}. Leave out one.")
    return settings


def _setting(value: Any) -> Settings:
    if isinstance(value, str):
        return parse_settings(value)
    if isinstance(value, list | tuple):
        return tuple(_setting(each) for each in value)  # type: ignore[misc]  # settings_name refuses a nested one
    setting: Settings = value
    return setting
