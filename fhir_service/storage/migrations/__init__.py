"""Schema versions, applied by `fhir-service migrate` and at the start of `demo`.

https://alembic.sqlalchemy.org/
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Engine

_FOLDER = Path(__file__).parent


def _config(engine: Engine) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.attributes["engine"] = engine
    return config


def upgrade(engine: Engine) -> None:
    """Bring the schema to the newest version."""
    command.upgrade(_config(engine), "head")


def newest() -> str:
    """Return the version that this program expects."""
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    found = ScriptDirectory.from_config(config).get_current_head()
    if found is None:
        raise LookupError("no migration is packaged")
    return found


def applied(engine: Engine) -> str | None:
    """Return the version of the database; None where none was applied."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()
