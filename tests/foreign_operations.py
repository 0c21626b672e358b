"""Does one thing to an archive's table by a program that knows nothing of tokenlake, deltalake.

Usage: foreign_operations.py TABLE OPERATION     (`list` instead of an operation names them all)
"""

import sys

import pyarrow
import pyarrow.compute
from deltalake import DeltaTable, write_deltalake


def rows(table, prefix, **changes):
    """Rows that are in the table, under other ids and with changes."""
    rows = table.to_pyarrow_table()
    rows = rows.filter(pyarrow.compute.equal(rows["org_id"], "acme")).slice(0, 3)
    ids = pyarrow.array([f"{prefix}-{number}" for number in range(rows.num_rows)])
    place = rows.schema.get_field_index("event_id")
    rows = rows.set_column(place, rows.schema.field(place), ids)
    for name, values in changes.items():
        rows = rows.append_column(name, pyarrow.array(values[: rows.num_rows]))
    return rows


def merge(table):
    source = pyarrow.concat_tables([table.to_pyarrow_table().slice(0, 2), rows(table, "merged")])
    merge = table.merge(
        source, "t.event_id = s.event_id AND t.org_id = s.org_id", source_alias="s", target_alias="t"
    )
    merge = merge.when_matched_update({"model": "'another'"})
    merge.when_not_matched_insert_all().execute()


def cleanup(table):
    """Nothing of the log that a checkpoint covers is to stay."""
    table.alter.set_table_properties({"delta.logRetentionDuration": "interval 0 days"})
    table.create_checkpoint()
    table.cleanup_metadata()


OPERATIONS = {
    "append": lambda table: write_deltalake(table, rows(table, "appended"), mode="append"),
    "append_new_column": lambda table: write_deltalake(
        table, rows(table, "wider", team=["a", "b", "c"]), mode="append", schema_mode="merge"
    ),
    "optimize": lambda table: table.optimize.compact(),
    "z_order": lambda table: table.optimize.z_order(["model"]),
    "checkpoint": lambda table: table.create_checkpoint(),
    "cleanup": cleanup,
    "vacuum": lambda table: table.vacuum(0, dry_run=False, enforce_retention_duration=False),
    "delete": lambda table: table.delete("model = 'm1'"),
    "delete_all": lambda table: table.delete(),
    "delete_and_vacuum": lambda table: (
        table.delete("model = 'm1'"),
        table.vacuum(0, dry_run=False, enforce_retention_duration=False),
    ),
    "update": lambda table: table.update(updates={"cost_usd": "0"}, predicate="model = 'm1'"),
    "overwrite": lambda table: write_deltalake(table, rows(table, "over"), mode="overwrite"),
    "restore": lambda table: table.restore(2),
    "merge": merge,
    "constraint": lambda table: table.alter.add_constraint({"counts": "input_tokens >= 0"}),
}


def main():
    table, operation = sys.argv[1:]
    if operation == "list":
        print("\n".join(OPERATIONS))
    else:
        OPERATIONS[operation](DeltaTable(table))


main()
