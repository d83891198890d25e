"""What the user sets: read once, checked whole, then frozen.

    settings      the environment, `.env` and `…_FILE` secrets
    environment   reading those
    urls          what a URL in either must look like
    file          `trunkline.yaml`, read: its agents, numbers, tools, verticals, tenants, secrets
    schema        the same, as records that say what is expected
    tree          YAML with the place of every value
    references    names in the file that lead nowhere
    spoken        texts of the file that callers hear as audio
    variables     filling `{{name}}` in

Imports nothing of ours but `errors`. Nobody else reads the environment.
"""
