# SPDX-License-Identifier: Apache-2.0
"""Configuration of Sphinx; ``tox -e docs`` builds the documentation."""

import configparser
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / 'doc/ext'))

_about = configparser.ConfigParser()
_about.read(ROOT / 'setup.cfg')

project = 'Pileus'
# No date and no user name, so that two builds of one source are equal.
project_copyright = 'the Pileus authors'
version = release = _about['metadata']['version']

extensions = ['oslo_config.sphinxext', 'packagemap', 'releasenotes']
needs_sphinx = '9.0'
nitpicky = True

html_theme = 'alabaster'
html_theme_options = {'description': _about['metadata']['description'],
                      'fixed_sidebar': True}
html_copy_source = False
