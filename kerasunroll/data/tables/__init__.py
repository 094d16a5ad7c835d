"""Tables (CSV, TSV, Parquet) as sequences: reading them, making numbers of their columns, cutting windows.

From outside, `load_table` of `kerasunroll.data.tables.table` and `TableOptions` are used.
"""
