"""What the user sets: read once, checked whole, then frozen.

    settings   the environment, `.env` and `…_FILE` secrets
    file       `trunkline.yaml`: agents, numbers, tools, verticals, tenants

Imports nothing of ours but `errors`. Nobody else reads the environment.
"""
