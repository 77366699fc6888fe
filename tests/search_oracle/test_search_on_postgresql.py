"""The searches of the other tests, fewer of them, on PostgreSQL.

What is hidden is compared across databases: the world with hidden resources is on
PostgreSQL, the one without them on SQLite.
"""

import json
import os

from drawn_queries import queries
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model import Model
from test_hidden_rows import asked
from test_search_against_model import ids, judged
from twin_worlds import twins
from worlds import matches, opened_world

EXAMPLES = int(os.environ.get("FHIR_SERVICE_TEST_EXAMPLES", "300")) // 4  # noqa: TID251 - the tests' own variable

drawn = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


def test_postgresql_finds_what_r4_says(tmp_path, template, migrated_postgres_url):
    with opened_world(tmp_path, template, database_url=migrated_postgres_url) as world:
        full = judged(world, seed=3)

        @drawn
        @given(data=st.data())
        def check(data):
            type_, pairs = data.draw(queries(full.model), label="query")

            total, found = full.answered(type_, pairs, 7)

            expected = full.model.found(type_, pairs)
            assert ids(found) == ids(expected)
            assert total == len(expected)

        check()


def test_postgresql_answers_like_sqlite_without_what_is_hidden(
    tmp_path, template, migrated_postgres_url
):
    with (
        opened_world(
            tmp_path, template, name="whole", database_url=migrated_postgres_url
        ) as whole,
        opened_world(tmp_path, template, name="bare") as bare,
    ):
        pair = twins(whole, bare, seed=12)

        @drawn
        @given(data=st.data())
        def check(data):
            type_, pairs, query = asked(data, pair)

            pages = list(pair.whole.pages(query))

            assert [(status, pair.translated(text)) for status, text in pages] == list(
                pair.bare.pages(pair.translated(query))
            )
            now_us = whole.clock()
            expected = Model(resources=pair.visible, now_us=now_us).found(type_, pairs)
            found = [one for _, text in pages for one in matches(json.loads(text))]
            assert ids(found) == ids(expected)

        check()
