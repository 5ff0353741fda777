"""The functions that SQL from users may call.

fuzz/sql_functions.py found the unsafe ones by calling every function of DuckDB with odd arguments; run it after an
update.
"""

from __future__ import annotations

__all__ = ["PREDICATE_FUNCTIONS", "REFUSED_FUNCTIONS", "REFUSED_TYPES", "TABLE_FUNCTIONS"]

_REASONS: dict[str, tuple[str, ...]] = {
    "is about the process, not the data": (
        "current_setting", "getenv", "getvariable", "inet_client_addr", "inet_client_port", "inet_server_addr",
        "inet_server_port", "pg_conf_load_time", "pg_get_viewdef", "pg_postmaster_start_time", "which_secret",
    ),
    "changes something": ("currval", "nextval", "setseed", "setval", "write_log"),
    "waits": ("pg_sleep", "sleep_ms"),
    "runs or reads unchecked SQL": (
        "json_deserialize_sql", "json_execute_serialized_sql", "json_serialize_plan", "json_serialize_sql",
    ),
    "can end the process": (
        "from_json", "from_json_strict", "json_contains", "json_transform", "json_transform_strict",
        "variant_bytes_to_variant", "variant_comparator", "variant_normalize", "variant_to_parquet_variant",
    ),
    "exceeds every memory limit": ("bitstring",),
    "is internal to DuckDB": (
        "add_parquet_key", "combine", "create_sort_key", "finalize", "icu_sort_key", "index_key", "invoke",
        "make_type", "parse_duckdb_log_message", "remap_struct", "replace_type", "stats", "to_aggregate_state",
        "vector_type", "vertex_extract",
    ),
    "calls Java": ("java_method", "reflect", "try_reflect"),
    "is about the cluster, not the data": (
        "input_file_block_length", "input_file_block_start", "input_file_name", "read_files", "raise_error",
    ),
}  # fmt: skip
REFUSED_FUNCTIONS: dict[str, str] = {name: reason for reason, names in _REASONS.items() for name in names}
"""Functions of DuckDB and Spark that no query may call, and why."""

REFUSED_TYPES: dict[str, str] = {
    "bignum": "parsing a long one cannot be interrupted",
    "varint": "it is a bignum",
    "variant": "deeply nested values crash the process",
}
"""Types to which no value may be cast, and why."""

TABLE_FUNCTIONS = frozenset((
    "duckdb_columns", "duckdb_functions", "duckdb_keywords", "duckdb_tables", "duckdb_types", "duckdb_views",
    "explode", "generate_series", "generate_subscripts", "histogram", "histogram_values", "inline", "json_each",
    "json_tree", "pg_timezone_names", "posexplode", "pragma_table_info", "range", "regexp_split_to_table", "repeat",
    "repeat_row", "stack", "unnest",
))  # fmt: skip
"""The only functions that may be used as tables: they compute rows from arguments, or list what can be queried."""

PREDICATE_FUNCTIONS = frozenset((
    # Conditions
    "coalesce", "constant_or_null", "error", "greatest", "if", "ifnull", "least", "nullif", "typeof",
    # Text
    "array_to_string", "ascii", "bit_length", "char_length", "character_length", "chr", "concat", "concat_ws",
    "contains", "ends_with", "hash", "ilike_escape", "instr", "lcase", "left", "len", "length", "like_escape",
    "list_value", "lower", "ltrim", "md5", "nfc_normalize", "not_ilike_escape", "not_like_escape", "octet_length",
    "ord", "overlay", "parse_dirname", "parse_dirpath", "parse_filename", "position", "prefix",
    "regexp_escape", "regexp_extract", "regexp_extract_all", "regexp_full_match", "regexp_matches", "regexp_replace",
    "regexp_split_to_array", "replace", "reverse", "right", "rtrim", "sha1", "sha256", "split", "split_part",
    "starts_with", "str_split", "str_split_regex", "string_split", "string_split_regex", "string_to_array",
    "strip_accents", "strlen", "strpos", "substr", "substring", "suffix", "translate", "trim", "ucase", "unicode",
    "upper", "url_decode",
    # Bytes
    "base64", "bin", "encode", "from_base64", "from_hex", "hex", "to_base64", "to_hex", "unhex",
    # Numbers
    "abs", "add", "bit_count", "ceil", "ceiling", "divide", "even", "exp", "fdiv", "floor", "fmod", "isfinite",
    "isinf", "isnan", "ln", "log", "log10", "log2", "mod", "multiply", "pow", "power", "random", "round", "sign",
    "sqrt", "subtract", "trunc", "xor",
    # Times
    "age", "century", "current_date", "current_localtime", "current_localtimestamp", "date_add", "date_diff",
    "date_part", "date_sub", "date_trunc", "datediff", "datepart", "datesub", "datetrunc", "day", "dayname",
    "dayofmonth", "dayofweek", "dayofyear", "epoch", "epoch_ms", "epoch_ns", "epoch_us", "get_current_timestamp",
    "hour", "isodow", "isoyear", "last_day", "make_date", "make_time", "make_timestamp", "make_timestamptz",
    "microsecond", "millisecond", "minute", "month", "monthname", "now", "quarter", "second", "strftime", "strptime",
    "time_bucket", "timezone", "to_days", "to_hours", "to_microseconds", "to_milliseconds", "to_minutes", "to_months",
    "to_seconds", "to_timestamp", "to_weeks", "to_years", "today", "transaction_timestamp", "try_strptime", "week",
    "weekday", "weekofyear", "year", "yearweek",
    # Lists and structures
    "apply", "array_apply", "array_contains", "array_extract", "array_filter", "array_has", "array_has_all",
    "array_has_any", "array_length", "array_position", "array_slice", "array_transform", "element_at", "filter",
    "list_any_value", "list_apply", "list_bool_and", "list_bool_or", "list_contains", "list_count", "list_distinct",
    "list_element", "list_extract", "list_filter", "list_has", "list_has_all", "list_has_any", "list_indexof",
    "list_max", "list_min", "list_position", "list_slice", "list_sort", "list_sum", "list_transform", "list_unique",
    "map", "map_contains", "map_extract", "row", "struct_extract", "struct_pack",
))  # fmt: skip
"""The only functions that a predicate may call. It runs for each batch of a recording and must not delay it, so their
results are not much longer than their arguments."""
