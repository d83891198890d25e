"""What is doubtful about one config after another, beyond what is doubtful about each."""

from trunkline.config.schema import Config


def doubt(before: Config, after: Config, newest: int) -> str | None:
    """A line, or None. `newest` is the highest version that was in use before `after`."""
    if after.version < newest:
        return (
            f"version {after.version} is lower than {newest}, which was in use: the limits of "
            f"{newest} go on counting; raise it above {newest}"
        )
    if after.version == newest and _limits(after) != _limits(before):
        return (
            f"limits have changed and version is still {newest}: pods that read the file at "
            "different moments may disagree; raise it with every change of limits"
        )
    return None


def _limits(config: Config) -> object:
    verticals, tenants = config.verticals, config.tenants
    return (
        {name: (each.calls_max, each.outbound_calls_max) for name, each in verticals.items()},
        {
            name: (each.vertical, each.calls_max, each.outbound_calls_max)
            for name, each in tenants.items()
        },
        {
            (model.name, model.url, model.key_env, model.sessions_max)
            for agent in config.agents.values()
            for model in agent.models
        },
    )
