# SPDX-License-Identifier: Apache-2.0
"""How Sphinx makes the documentation; ``tox -e docs`` runs it."""

import configparser
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / 'doc/ext'))

_about = configparser.ConfigParser()
_about.read(ROOT / 'setup.cfg')

project = 'Pileus'
# A date or a builder's name would make two builds of one source differ.
project_copyright = 'the Pileus authors'
version = release = _about['metadata']['version']

extensions = ['oslo_config.sphinxext', 'packagemap', 'releasenotes']
needs_sphinx = '9.0'
nitpicky = True

html_theme = 'alabaster'
html_theme_options = {'description': _about['metadata']['description'],
                      'fixed_sidebar': True}
html_copy_source = False
