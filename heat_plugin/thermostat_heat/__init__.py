"""Resource types of Heat for Thermostat. Heat finds them in ``resources.py``.

Heat loads the package below ``heat.engine.plugins``, wherever it lies: nothing here names it absolutely. It
runs each module by itself, in the order of their names, where none has imported it before. Nobody knows such
a module by its name, which a dataclass cannot bear: so there are none outside of ``fields.py``, which
``base.py`` imports.
"""
