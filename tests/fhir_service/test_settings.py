import os
from dataclasses import replace
from pathlib import Path

import pytest

from fhir_service.auth.users import Role
from fhir_service.settings import (
    FIELDS,
    MASK,
    ROLES,
    SETTINGS,
    SettingsError,
    make_data_dir,
    masked_url,
    process_settings,
    read_settings,
    settings_page,
    shown,
)

DOCS = Path(__file__).parents[2] / "docs"

BAD = {
    "RAW_PAYLOAD_DAYS": "-1",
    "DATABASE_URL": "mysql://somewhere/x",
    "PUBLIC_URL": "ftp://somewhere",
    "HOST": "not an address",
    "PORT": "65536",
    "WORKERS": "0",
    "HOT_THREADS": "-1",
    "THREADS": "many",
    "FHIR_BODY_BYTES": "5MB",
    "DEVICE_BODY_BYTES": "1e6",
    "FORM_BODY_BYTES": "9" * 5000,
    "BODY_MEMORY_BYTES": "1",
    "BODY_DEADLINE_S": "0",
    "RESPONSE_DEADLINE_S": "1.5",
    "STOP_DEADLINE_S": "٣",
    "TLS_CERTIFICATE": "relative.pem",
    "TLS_KEY": "relative.pem",
    "TRUSTED_PROXIES": "10.0.0.0/8,proxy",
    "JWKS_NETWORKS": "10.0.0.0/33",
    "ALERT_NETWORKS": "10.0.0.0/33",
    "TIME_ZONE": "Mars/Olympus",
    "DEFAULT_POLICY": "permit",
    "ENCRYPT_BODIES": "yes",
    "UPDATE_CREATES": "on",
    "AUDIT_WAIT": "no",
    "AUDIT_CHECKPOINT_S": "0",
    "TOKEN_LIFETIME_S": "86400",
    "REFRESH_LIFETIME_S": "299",
    "PAGE_LIFETIME_S": "1",
    "SESSION_LIFETIME_S": "1",
    "SECOND_FACTOR_ROLES": "practitioner,nurse",
    "MQTT_URL": "http://broker",
    "MQTT_USER": "two words",
    "MQTT_PASSWORD": "two words",
    "MQTT_PASSWORD_FILE": "relative",
    "MQTT_CA": "relative.pem",
    "MQTT_CERTIFICATE": "relative.pem",
    "MQTT_KEY": "relative.pem",
    "MQTT_CLIENT_ID": "a/b",
    "MQTT_GROUP": "a/b",
    "MQTT_TOPICS": "zigbee2mqtt/#",
    "MQTT_ACTING_CLIENT": "two words",
    "MQTT_RECEIVE_MAXIMUM": "0",
    "MQTT_SESSION_S": "-1",
    "LOG_LEVEL": "loud",
    "LOG_FORMAT": "xml",
    "ACCESS_LOG": "1",
    "METRICS": "on",
}


def test_every_field_has_a_row_and_every_row_a_field():
    assert tuple(setting.name for setting in SETTINGS) == FIELDS


def test_every_setting_is_documented():
    assert (DOCS / "settings.md").read_text() == settings_page()


def test_the_defaults_are_the_fixed_points():
    settings = read_settings({})

    assert settings.data_dir == Path.cwd() / "data"
    assert settings.database_url == f"sqlite:///{Path.cwd()}/data/fhir.sqlite3"
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.public_url == "http://localhost:8000"
    assert settings.default_policy == "deny"
    assert settings.encrypt_bodies is True
    assert settings.audit_wait == "durable"


def test_an_empty_variable_counts_as_absent():
    assert read_settings({"FHIR_SERVICE_PORT": " "}) == read_settings({})


def test_the_database_decides_how_many_processes_and_threads_there_are():
    settings = read_settings({"FHIR_SERVICE_DATABASE_URL": "postgresql://db/fhir"})

    assert settings.database_url == "postgresql+psycopg://db/fhir"
    assert settings.workers == os.cpu_count()
    assert settings.hot_threads == 4
    assert read_settings({}).workers == 1
    assert read_settings({}).hot_threads == 1


def test_a_bad_value_is_tried_for_every_setting_that_can_be_wrong():
    assert set(BAD) == {setting.name.upper() for setting in SETTINGS} - {"DATA_DIR"}


@pytest.mark.parametrize(("name", "text"), BAD.items())
def test_a_bad_value_is_refused_by_the_name_of_its_variable(name, text):
    with pytest.raises(SettingsError, match=f"FHIR_SERVICE_{name} (must|names)"):
        read_settings({f"FHIR_SERVICE_{name}": text})


@pytest.mark.parametrize(
    "url",
    [
        "https://fhir.test/base",
        "https://user@fhir.test",
        "https://fhir.test?x=1",
        "https://fhir.test:port",
        "https://",
    ],
)
def test_a_public_url_is_scheme_host_and_port_alone(url):
    with pytest.raises(SettingsError, match="FHIR_SERVICE_PUBLIC_URL"):
        read_settings({"FHIR_SERVICE_PUBLIC_URL": url})


def test_a_slash_at_the_end_of_the_public_url_is_dropped():
    settings = read_settings({"FHIR_SERVICE_PUBLIC_URL": "https://fhir.test/"})

    assert settings.public_url == "https://fhir.test"


def test_a_sqlite_url_names_a_file():
    with pytest.raises(SettingsError, match="must name a file"):
        read_settings({"FHIR_SERVICE_DATABASE_URL": "sqlite://"})


def test_all_problems_are_told_at_once():
    with pytest.raises(SettingsError) as caught:
        read_settings({"FHIR_SERVICE_PORT": "x", "FHIR_SERVICE_WORKERS": "y"})

    assert len(str(caught.value).splitlines()) == 2


def test_a_misspelt_variable_is_refused_with_the_near_name():
    with pytest.raises(SettingsError, match="did you mean FHIR_SERVICE_ENCRYPT_BODIES"):
        read_settings({"FHIR_SERVICE_ENCRYPT_BODYS": "false"})


def test_a_variable_of_the_tests_is_passed_over():
    assert read_settings({"FHIR_SERVICE_TEST_POSTGRES_URL": "x"}) == read_settings({})


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"WORKERS": "2"}, "FHIR_SERVICE_WORKERS must be 1 on SQLite"),
        ({"BODY_DEADLINE_S": "60"}, "STOP_DEADLINE_S"),
        ({"TOKEN_LIFETIME_S": "3600", "PAGE_LIFETIME_S": "60"}, "PAGE_LIFETIME_S"),
        ({"BODY_MEMORY_BYTES": "1024"}, "BODY_MEMORY_BYTES"),
    ],
)
def test_values_that_contradict_each_other_are_refused(environment, named):
    with pytest.raises(SettingsError, match=named):
        read_settings(
            {f"FHIR_SERVICE_{key}": text for key, text in environment.items()}
        )


def test_the_password_of_the_database_is_neither_shown_nor_printed():
    settings = read_settings(
        {"FHIR_SERVICE_DATABASE_URL": "postgresql://me:canary@db:5432/fhir"}
    )

    told = shown(settings)

    assert (
        told["FHIR_SERVICE_DATABASE_URL"] == "postgresql+psycopg://me:***@db:5432/fhir"
    )
    assert "canary" not in repr(settings)


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("sqlite:////var/lib/x.db", "sqlite:////var/lib/x.db"),
        ("postgresql://db/x", "postgresql://db/x"),
        ("postgresql://me@db/x", "postgresql://me@db/x"),
        ("postgresql://me:p%40:q@db/x", "postgresql://me:***@db/x"),
        (
            "postgresql://db/x?sslmode=on&password=p",
            "postgresql://db/x?sslmode=on&password=***",
        ),
    ],
)
def test_a_url_is_masked_where_it_holds_a_secret(url, masked):
    assert masked_url(url) == masked


def test_what_is_shown_gives_the_same_settings_when_it_is_set():
    settings = read_settings(
        {
            "FHIR_SERVICE_TRUSTED_PROXIES": "10.0.0.0/8,::1/128",
            "FHIR_SERVICE_PORT": "81",
        }
    )

    assert read_settings(shown(settings)) == settings


def test_the_environment_of_the_process_is_read(monkeypatch):
    monkeypatch.setenv("FHIR_SERVICE_PORT", "8123")

    assert process_settings().port == 8123


def test_the_data_folder_is_made_for_its_owner_alone(tmp_path):
    settings = replace(read_settings({}), data_dir=tmp_path / "new" / "data")

    folder = make_data_dir(settings)

    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    settings = replace(read_settings({}), data_dir=tmp_path / "file" / "data")

    with pytest.raises(SettingsError, match="FHIR_SERVICE_DATA_DIR cannot be created"):
        make_data_dir(settings)


def test_the_roles_that_need_a_second_factor_are_listed_with_commas():
    settings = read_settings(
        {"FHIR_SERVICE_SECOND_FACTOR_ROLES": "practitioner, administrator"}
    )

    assert settings.second_factor_roles == ("practitioner", "administrator")
    assert read_settings({}).second_factor_roles == ()


def test_the_roles_of_the_settings_are_those_that_a_person_can_have():
    assert tuple(Role) == ROLES


@pytest.mark.parametrize(
    "text",
    [
        "mqtt://",
        "mqtt://user:word@broker",
        "mqtts://broker/path",
        "mqtts://broker:99999",
        "broker:1883",
    ],
)
def test_a_broker_is_scheme_host_and_port_alone(text):
    with pytest.raises(SettingsError, match="FHIR_SERVICE_MQTT_URL"):
        read_settings({"FHIR_SERVICE_MQTT_URL": text})


def test_topics_are_filters_with_the_source_of_what_comes_under_them():
    topics = " zigbee2mqtt/#=zigbee2mqtt , +/x=y/+/state=home-assistant,"

    settings = read_settings({"FHIR_SERVICE_MQTT_TOPICS": topics})

    assert settings.mqtt_topics == (
        ("zigbee2mqtt/#", "zigbee2mqtt"),
        ("+/x=y/+/state", "home-assistant"),
    )
    assert shown(settings)["FHIR_SERVICE_MQTT_TOPICS"] == (
        "zigbee2mqtt/#=zigbee2mqtt,+/x=y/+/state=home-assistant"
    )


@pytest.mark.parametrize(
    "text", ["a#=x", "#/a=x", "a+/b=x", "=x", "a/#=", "$share/g/a=x", "a=X", "a\x01=x"]
)
def test_a_topic_filter_that_no_broker_takes_is_refused(text):
    with pytest.raises(SettingsError, match="FHIR_SERVICE_MQTT_TOPICS must"):
        read_settings({"FHIR_SERVICE_MQTT_TOPICS": text})


def test_the_password_of_the_broker_is_neither_shown_nor_printed():
    settings = read_settings({"FHIR_SERVICE_MQTT_PASSWORD": "hidden"})

    assert shown(settings)["FHIR_SERVICE_MQTT_PASSWORD"] == MASK
    assert "hidden" not in repr(settings)


@pytest.mark.parametrize(
    "named",
    [
        {"MQTT_CERTIFICATE": "/c.pem", "MQTT_URL": "mqtts://broker"},
        {"MQTT_KEY": "/k.pem", "MQTT_URL": "mqtts://broker"},
        {"MQTT_CA": "/ca.pem", "MQTT_URL": "mqtt://broker"},
        {"MQTT_PASSWORD": "x", "MQTT_PASSWORD_FILE": "/x"},
    ],
)
def test_settings_of_a_broker_that_contradict_each_other_are_refused(named):
    with pytest.raises(SettingsError, match="MQTT"):
        read_settings({f"FHIR_SERVICE_{name}": text for name, text in named.items()})
