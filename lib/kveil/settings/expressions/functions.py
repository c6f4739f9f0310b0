"""Which functions an expression of one row may call: deterministic ones of the row alone, whose results stay small.

A function that is not named here is refused, whatever it does: Spark and platforms gain new ones with every version.
"""


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


_CHOICES = "coalesce if ifnull nvl nvl2 nullif nullifzero zeroifnull isnull isnotnull isnan nanvl greatest least equal_null"
_CASTS = "boolean tinyint smallint int bigint float double decimal date timestamp string cast try_cast"
_TEXTS = (
    "upper ucase lower lcase initcap trim ltrim rtrim btrim substring substr left right length char_length "
    "character_length concat concat_ws replace translate lpad rpad reverse contains startswith endswith instr locate "
    "position split split_part substring_index ascii soundex like ilike rlike regexp regexp_like regexp_replace "
    "regexp_extract regexp_extract_all regexp_substr regexp_count regexp_instr bit_length octet_length find_in_set elt"
)
_NUMBERS = (
    "abs ceil ceiling floor round bround rint sign signum sqrt cbrt exp expm1 ln log log10 log2 log1p power pow mod "
    "pmod positive negative width_bucket degrees radians sin cos tan asin acos atan atan2 hypot try_add try_subtract "
    "try_multiply try_divide try_mod to_number try_to_number"
)
_TIMES = (
    "year quarter month day dayofmonth dayofweek dayofyear weekday weekofyear hour minute second dayname monthname "
    "extract date_part datepart date_add dateadd date_sub date_diff datediff add_months months_between last_day "
    "next_day trunc date_trunc to_date try_to_date to_timestamp try_to_timestamp date_format make_date make_timestamp "
    "try_make_timestamp unix_date date_from_unix_date unix_timestamp to_unix_timestamp from_unixtime unix_seconds "
    "unix_millis unix_micros timestamp_seconds timestamp_millis timestamp_micros timestampdiff timestampadd "
    "from_utc_timestamp to_utc_timestamp make_interval make_dt_interval make_ym_interval"
)
_LISTS = "array element_at try_element_at get array_contains array_position array_join array_size size cardinality"

ALLOWED = words(f"{_CHOICES} {_CASTS} {_TEXTS} {_NUMBERS} {_TIMES} {_LISTS}")

PATTERN_AT = dict.fromkeys(
    words(
        "rlike regexp regexp_like regexp_replace regexp_extract regexp_extract_all regexp_substr regexp_count regexp_instr split "
        "like ilike"
    ),
    1,
)
"""Functions that take a pattern, and as which of their arguments, from 0."""
REPLACES = ("replace", "regexp_replace")
"""Functions whose third argument may stand many times in the result."""
PADS = ("lpad", "rpad")
"""Functions whose second argument says how long the result is."""
WITH_UNIT = ("timestampdiff", "timestampadd", "datediff", "date_diff", "dateadd", "date_add")
"""Functions whose first argument may be a unit of time."""
OF_CONSTANTS = words(f"{_CASTS} array make_date make_timestamp make_interval make_dt_interval make_ym_interval")
"""Functions that may be called without a column: what they make is never a text of several."""

_OTHER_ROWS = "looks at other rows"
_RUNS = "differs from run to run"
_OUTSIDE = "reads the session, the machine or a file"
_HASH = (
    "makes a hash without a key, which trying every value undoes (for few groups there is clean.buckets, for tokens "
    "anonymize.mask, technique: pseudonym)"
)
_REASONS = {
    _OTHER_ROWS: (
        "select from table values with over lateral exists any some all every any_value approx_count_distinct "
        "approx_percentile approx_top_k array_agg avg bit_and bit_or bit_xor bool_and bool_or collect_list collect_set "
        "corr count count_if count_min_sketch covar_pop covar_samp cume_dist dense_rank first first_value grouping "
        "grouping_id histogram_numeric kurtosis lag last last_value lead listagg string_agg max max_by mean median min "
        "min_by mode nth_value ntile percent_rank percentile percentile_approx percentile_cont percentile_disc rank "
        "regr_avgx regr_avgy regr_count regr_r2 regr_slope row_number skewness std stddev stddev_pop stddev_samp sum "
        "try_avg try_sum var_pop var_samp variance window session_window"
    ),
    "makes several rows of one": (
        "explode explode_outer posexplode posexplode_outer inline inline_outer stack json_tuple variant_explode"
    ),
    _RUNS: (
        "rand random randn randstr uniform uuid shuffle now curdate current_date current_time current_timestamp "
        "current_timezone localtimestamp monotonically_increasing_id spark_partition_id aes_encrypt try_aes_encrypt"
    ),
    _OUTSIDE: (
        "reflect java_method try_reflect input_file_name input_file_block_start input_file_block_length secret "
        "try_secret current_user session_user user current_catalog current_database current_schema current_path "
        "current_metastore version current_version read_files read_kafka read_kinesis read_pubsub http_request "
        "remote_query vector_search identifier from_avro to_avro is_member is_account_group_member schema_of_json "
        "schema_of_csv event_log list_secrets cloud_files_state"
    ),
    _HASH: "md5 sha sha1 sha2 hash xxhash64 crc32 hll_sketch_agg murmur3 farm_fingerprint",
    "ends the run with a message that may hold a value": "raise_error assert_true",
    "takes a function of its own": (
        "transform filter aggregate reduce forall zip_with map_filter map_zip_with transform_keys transform_values array_sort"
    ),
}
_WHY = {name: why for why, names in _REASONS.items() for name in names.split()}
_FAMILIES = {"ai_": _OUTSIDE, "http_": _OUTSIDE, "read_": _OUTSIDE, "current_": _RUNS, "rand": _RUNS, "approx_": _OTHER_ROWS}

SYNTAX = words("select from table values with over lateral")
"""Words that begin what looks at other rows; a column of such a name stands in backticks."""
CONTEXTS = words(
    "current_date current_time current_timestamp current_timezone localtimestamp now current_user session_user user "
    "current_catalog current_database current_schema current_path grouping__id"
)
"""Words that Spark takes for the run's moment, user or place where no column has that name."""


def why_not(name: str) -> str:
    """Why a function, or a word of SQL, has no place in an expression of one row: the end of a sentence that names it."""
    family = next((why for prefix, why in _FAMILIES.items() if name.startswith(prefix)), "")
    why = _WHY.get(name) or family
    return why or "is none of the functions that an expression may call (docs/cleaning.md lists them)"
