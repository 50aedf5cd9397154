"""The Sphinx extensions of the site; ``_config.yml`` names them one by one."""
