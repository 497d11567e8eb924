"""Views for people who read the database with SQL: v_trials, v_versions, v_changes, v_watched.

docs/sql.md describes their columns. A later migration that alters a table of these views on SQLite
must drop them first and create them again.
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

STUDY = "'https://clinicaltrials.gov/study/'"

KEY_FIELDS = """
       s.brief_title AS title,
       s.lead_sponsor AS sponsor,
       s.org_study_id AS org_study_id,
       s.status AS status,
       s.why_stopped AS why_stopped,
       s.study_type AS study_type,
       s.phases AS phases,
       s.start_date AS start_date,
       s.start_date_type AS start_date_type,
       s.primary_completion_date AS primary_completion_date,
       s.primary_completion_date_type AS primary_completion_date_type,
       s.completion_date AS completion_date,
       s.completion_date_type AS completion_date_type,
       s.enrollment AS enrollment,
       s.enrollment_type AS enrollment_type,
       s.verified AS verified,
       s.first_posted AS first_posted,
       s.last_update_posted AS last_update_posted,
       s.results_first_posted AS results_first_posted,
       s.has_results AS has_results"""

TRIALS = f"""
SELECT t.nct_id AS nct_id,
       t.state AS state,{KEY_FIELDS},
       (SELECT f.primary_completion_date FROM snapshots f
         WHERE f.nct_id = t.nct_id AND f.position = (
               SELECT min(p.position) FROM snapshots p
                WHERE p.nct_id = t.nct_id AND p.primary_completion_date IS NOT NULL)
       ) AS first_primary_completion_date,
       CAST((SELECT count(*) FROM snapshots n WHERE n.nct_id = t.nct_id) AS integer) AS versions,
       CAST((SELECT count(*) FROM watched_trials w WHERE w.nct_id = t.nct_id) AS integer)
         AS watches,
       (SELECT max({{happened}}) FROM events e
         WHERE e.nct_id = t.nct_id AND e.level <> 'administrative'
           AND e.kind NOT IN ('first_seen', 'registered', 'entered', 'left', 'flag')
       ) AS changed_on,
       t.last_seen_load AS last_seen,
       {STUDY} || t.nct_id AS url
  FROM trials t
  JOIN snapshots s ON s.nct_id = t.nct_id
   AND s.position = (SELECT max(r.position) FROM snapshots r
                      WHERE r.nct_id = t.nct_id AND r.digest IS NOT NULL)
"""

VERSIONS = f"""
SELECT s.nct_id AS nct_id,
       CAST((SELECT count(*) FROM snapshots n
              WHERE n.nct_id = s.nct_id AND n.position <= s.position) AS integer) AS version,
       s.registry_version AS registry_version,
       {{is_newest}} AS is_newest,
       s.state AS state,
       s.source AS source,
       s.posted AS posted,
       s.submitted AS submitted,
       s.observed AS observed,
       s.fetched AS fetched,{KEY_FIELDS},
       {STUDY} || s.nct_id
         || coalesce('?tab=history&a=' || {{newer_page}}, '') AS url
  FROM snapshots s
  JOIN trials t ON t.nct_id = s.nct_id
"""

CHANGES = f"""
SELECT e.id AS id,
       {{happened}} AS day,
       e.nct_id AS nct_id,
       s.brief_title AS title,
       s.lead_sponsor AS sponsor,
       e.level AS level,
       e.category AS category,
       e.kind AS kind,
       e.label AS label,
       e.summary AS summary,
       e.before AS before,
       e.after AS after,
       e.before_type AS before_type,
       e.after_type AS after_type,
       e.days AS days,
       e.days_since_first AS days_since_first,
       e.percent AS percent,
       e.percent_since_first AS percent_since_first,
       CAST(CASE WHEN b.id IS NOT NULL THEN
              (SELECT count(*) FROM snapshots n
                WHERE n.nct_id = b.nct_id AND n.position <= b.position)
            END AS integer) AS from_version,
       CAST((SELECT count(*) FROM snapshots n
              WHERE n.nct_id = s.nct_id AND n.position <= s.position) AS integer) AS to_version,
       e.posted AS posted,
       e.observed AS observed,
       e.fetched AS fetched,
       e.rule AS rule,
       e.path AS path,
       {STUDY} || e.nct_id || '?tab=history&a=' || {{older_page}} || '&b=' || {{newer_page}}
         AS compare_url,
       {STUDY} || e.nct_id AS url
  FROM events e
  JOIN snapshots s ON s.id = e.to_snapshot_id
  LEFT JOIN snapshots b ON b.id = e.from_snapshot_id
"""

WATCHED = f"""
SELECT w.name AS watch,
       m.nct_id AS nct_id,
       m.asked_as AS asked_as,
       m.by_query AS by_query,
       m.since AS since,
       m.left_at AS left_at,
       t.moved_to AS moved_to,
       t.state AS state,
       s.brief_title AS title,
       s.lead_sponsor AS sponsor,
       s.status AS status,
       {STUDY} || m.nct_id AS url
  FROM watched_trials m
  JOIN watches w ON w.id = m.watch_id
  LEFT JOIN trials t ON t.nct_id = m.nct_id
  LEFT JOIN snapshots s ON s.id = t.head_snapshot_id
"""

VIEWS = {
    "v_trials": TRIALS,
    "v_versions": VERSIONS,
    "v_changes": CHANGES,
    "v_watched": WATCHED,
}


def upgrade() -> None:
    connection = op.get_bind()
    is_sqlite = connection.dialect.name == "sqlite"
    text = "" if is_sqlite else "::text"
    parts = {
        # a time is text on SQLite, and has a type on PostgreSQL
        "happened": (
            "substr(e.happened, 1, 10)" if is_sqlite else "(e.happened AT TIME ZONE 'UTC')::date"
        ),
        # SQLite compares the text of a filter with an expression only if it has a type
        "is_newest": (
            "CAST(s.id = t.head_snapshot_id AS integer)"
            if is_sqlite
            else "(s.id = t.head_snapshot_id)"
        ),
        # the pages of the registry count from 1; NULL without a number
        "older_page": f"(b.registry_version + 1){text}",
        "newer_page": f"(s.registry_version + 1){text}",
    }
    for name, query in VIEWS.items():
        connection.exec_driver_sql(f"CREATE VIEW {name} AS {query.format(**parts)}")


def downgrade() -> None:
    for name in VIEWS:
        op.execute(f"DROP VIEW {name}")
