//! The tables of the catalogs and their columns: those of PostgreSQL 15 that clients name.
//!
//! A line is a table, with `*` if it has rows here. The kind of a column follows its name: a number (`i`,
//! `o` if it may be null, `f` with a fraction), a truth (`b`), a text (`t`, `c` if it is empty rather
//! than null, `p` if it is the name of a function, which is its number in PostgreSQL), or a list of texts
//! (`T`) or numbers (`I`).

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// A table of a catalog.
pub(super) struct CatalogTable {
    pub name: &'static str,
    pub has_rows: bool,
    pub columns: Vec<(&'static str, ColumnKind)>,
}

/// The kind of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ColumnKind {
    Int,
    OptionalInt,
    Float,
    Bool,
    Text,
    Char,
    Procedure,
    Texts,
    Ints,
}

/// The schema `pg_catalog`.
pub(super) const PG_CATALOG: &str = "
pg_am* oid:i amname:t amhandler:p amtype:c
pg_attrdef oid:i adrelid:i adnum:i adbin:t
pg_attribute* attrelid:i attname:t atttypid:i attstattarget:i attlen:i attnum:i attndims:i attcacheoff:i atttypmod:i attbyval:b attalign:c attstorage:c attcompression:c attnotnull:b atthasdef:b atthasmissing:b attidentity:c attgenerated:c attisdropped:b attislocal:b attinhcount:i attcollation:i attacl:T attoptions:T attfdwoptions:T attmissingval:T
pg_auth_members roleid:i member:i grantor:i admin_option:b
pg_authid* oid:i rolname:t rolsuper:b rolinherit:b rolcreaterole:b rolcreatedb:b rolcanlogin:b rolreplication:b rolbypassrls:b rolconnlimit:i rolpassword:t rolvaliduntil:t
pg_available_extensions name:t default_version:t installed_version:t comment:t
pg_cast oid:i castsource:i casttarget:i castfunc:i castcontext:c castmethod:c
pg_class* oid:i relname:t relnamespace:i reltype:i reloftype:i relowner:i relam:i relfilenode:i reltablespace:i relpages:i reltuples:f relallvisible:i reltoastrelid:i relhasindex:b relisshared:b relpersistence:c relkind:c relnatts:i relchecks:i relhasrules:b relhastriggers:b relhassubclass:b relhasoids:b relrowsecurity:b relforcerowsecurity:b relispopulated:b relreplident:c relispartition:b relrewrite:i relfrozenxid:i relminmxid:i relacl:T reloptions:T relpartbound:t
pg_collation oid:i collname:t collnamespace:i collowner:i collprovider:c collisdeterministic:b collencoding:i collcollate:t collctype:t colliculocale:t collversion:t
pg_constraint oid:i conname:t connamespace:i contype:c condeferrable:b condeferred:b convalidated:b conrelid:i contypid:i conindid:i conparentid:i confrelid:i confupdtype:c confdeltype:c confmatchtype:c conislocal:b coninhcount:i connoinherit:b conkey:I confkey:I conpfeqop:I conppeqop:I conffeqop:I confdelsetcols:I conexclop:I conbin:t consrc:t
pg_conversion oid:i conname:t connamespace:i conowner:i conforencoding:i contoencoding:i conproc:t condefault:b
pg_database* oid:i datname:t datdba:i encoding:i datlocprovider:c datistemplate:b datallowconn:b datconnlimit:i datlastsysoid:i datfrozenxid:i datminmxid:i dattablespace:i datcollate:t datctype:t daticulocale:t datcollversion:t datacl:T
pg_db_role_setting setdatabase:i setrole:i setconfig:T
pg_default_acl oid:i defaclrole:i defaclnamespace:i defaclobjtype:c defaclacl:T
pg_depend classid:i objid:i objsubid:i refclassid:i refobjid:i refobjsubid:i deptype:c
pg_description objoid:i classoid:i objsubid:i description:t
pg_enum oid:i enumtypid:i enumsortorder:f enumlabel:t
pg_event_trigger oid:i evtname:t evtevent:t evtowner:i evtfoid:i evtenabled:c evttags:T
pg_extension oid:i extname:t extowner:i extnamespace:i extrelocatable:b extversion:t extconfig:I extcondition:T
pg_file_settings sourcefile:t sourceline:i seqno:i name:t setting:t applied:b error:t
pg_foreign_data_wrapper oid:i fdwname:t fdwowner:i fdwhandler:i fdwvalidator:i fdwacl:T fdwoptions:T
pg_foreign_server oid:i srvname:t srvowner:i srvfdw:i srvtype:t srvversion:t srvacl:T srvoptions:T
pg_foreign_table ftrelid:i ftserver:i ftoptions:T
pg_get_keywords* word:t catcode:c barelabel:b catdesc:t baredesc:t
pg_index indexrelid:i indrelid:i indnatts:i indnkeyatts:i indisunique:b indnullsnotdistinct:b indisprimary:b indisexclusion:b indimmediate:b indisclustered:b indisvalid:b indcheckxmin:b indisready:b indislive:b indisreplident:b indkey:I indcollation:I indclass:I indoption:I indexprs:t indpred:t
pg_indexes schemaname:t tablename:t indexname:t tablespace:t indexdef:t
pg_inherits inhrelid:i inhparent:i inhseqno:i inhdetachpending:b
pg_language oid:i lanname:t lanowner:i lanispl:b lanpltrusted:b lanplcallfoid:i laninline:i lanvalidator:i lanacl:T
pg_largeobject_metadata oid:i lomowner:i lomacl:T
pg_locks locktype:t database:i relation:i pid:i mode:t granted:b transactionid:i
pg_matviews schemaname:t matviewname:t matviewowner:t tablespace:t hasindexes:b ispopulated:b definition:t
pg_namespace* oid:i nspname:t nspowner:i nspacl:T
pg_opclass oid:i opcmethod:i opcname:t opcnamespace:i opcowner:i opcfamily:i opcintype:i opcdefault:b opckeytype:i
pg_operator oid:i oprname:t oprnamespace:i oprowner:i oprkind:c oprcanmerge:b oprcanhash:b oprleft:i oprright:i oprresult:i oprcom:i oprnegate:i oprcode:i oprrest:i oprjoin:i
pg_partitioned_table partrelid:i partstrat:c partnatts:i partdefid:i partattrs:I partclass:I partcollation:I partexprs:t
pg_policies schemaname:t tablename:t policyname:t permissive:t roles:T cmd:t qual:t with_check:t
pg_policy oid:i polname:t polrelid:i polcmd:c polpermissive:b polroles:I polqual:t polwithcheck:t
pg_prepared_xacts transaction:i gid:t prepared:t owner:t database:t
pg_proc oid:i proname:t pronamespace:i proowner:i prolang:i procost:f prorows:f provariadic:i prosupport:t prokind:c prosecdef:b proleakproof:b proisstrict:b proretset:b provolatile:c proparallel:c pronargs:i pronargdefaults:i prorettype:i proargtypes:I proallargtypes:I proargmodes:T proargnames:T proargdefaults:t protrftypes:I prosrc:t probin:t prosqlbody:t proconfig:T proacl:T proisagg:b
pg_publication oid:i pubname:t pubowner:i puballtables:b pubinsert:b pubupdate:b pubdelete:b pubtruncate:b pubviaroot:b
pg_publication_namespace oid:i pnpubid:i pnnspid:i
pg_publication_rel oid:i prpubid:i prrelid:i prqual:t prattrs:I
pg_publication_tables pubname:t schemaname:t tablename:t
pg_range rngtypid:i rngsubtype:i rngmultitypid:i rngcollation:i rngsubopc:i rngcanonical:p rngsubdiff:p
pg_replication_slots slot_name:t plugin:t slot_type:t datoid:i database:t active:b
pg_rewrite oid:i rulename:t ev_class:i ev_type:c ev_enabled:c is_instead:b ev_qual:t ev_action:t
pg_roles* oid:i rolname:t rolsuper:b rolinherit:b rolcreaterole:b rolcreatedb:b rolcanlogin:b rolreplication:b rolconnlimit:i rolpassword:t rolvaliduntil:t rolbypassrls:b rolconfig:T
pg_rules schemaname:t tablename:t rulename:t definition:t
pg_seclabel objoid:i classoid:i objsubid:i provider:t label:t
pg_sequence seqrelid:i seqtypid:i seqstart:i seqincrement:i seqmax:i seqmin:i seqcache:i seqcycle:b
pg_sequences schemaname:t sequencename:t sequenceowner:t data_type:t start_value:i min_value:i max_value:i increment_by:i cycle:b cache_size:i last_value:o
pg_settings* name:t setting:t unit:t category:t short_desc:t extra_desc:t context:t vartype:t source:t min_val:t max_val:t enumvals:T boot_val:t reset_val:t sourcefile:t sourceline:o pending_restart:b
pg_shadow* usename:t usesysid:i usecreatedb:b usesuper:b userepl:b usebypassrls:b passwd:t valuntil:t useconfig:T
pg_shdepend dbid:i classid:i objid:i objsubid:i refclassid:i refobjid:i deptype:c
pg_shdescription objoid:i classoid:i description:t
pg_show_all_settings* name:t setting:t unit:t category:t short_desc:t extra_desc:t context:t vartype:t source:t min_val:t max_val:t enumvals:T boot_val:t reset_val:t sourcefile:t sourceline:o pending_restart:b
pg_stat_activity datid:i datname:t pid:i usesysid:i usename:t application_name:t client_addr:t client_hostname:t client_port:o backend_start:t xact_start:t query_start:t state_change:t wait_event_type:t wait_event:t state:t backend_xid:i backend_xmin:i query:t backend_type:t
pg_stat_all_tables relid:i schemaname:t relname:t seq_scan:i n_live_tup:i n_dead_tup:i
pg_stat_database datid:i datname:t numbackends:i xact_commit:i xact_rollback:i blks_read:i blks_hit:i tup_returned:i tup_fetched:i tup_inserted:i tup_updated:i tup_deleted:i
pg_stat_gssapi pid:i gss_authenticated:b principal:t encrypted:b
pg_stat_ssl pid:i ssl:b version:t cipher:t bits:i client_dn:t
pg_stat_user_indexes relid:i indexrelid:i schemaname:t relname:t indexrelname:t idx_scan:i idx_tup_read:i idx_tup_fetch:i
pg_stat_user_tables relid:i schemaname:t relname:t seq_scan:i n_live_tup:i n_dead_tup:i
pg_statio_user_tables relid:i schemaname:t relname:t heap_blks_read:i heap_blks_hit:i
pg_statistic starelid:i staattnum:i
pg_statistic_ext oid:i stxrelid:i stxname:t stxnamespace:i stxowner:i stxstattarget:i stxkeys:I stxkind:T stxexprs:t
pg_stats schemaname:t tablename:t attname:t inherited:b null_frac:f avg_width:i n_distinct:f
pg_subscription oid:i subdbid:i subname:t subowner:i subenabled:b subconninfo:t subslotname:t subpublications:T
pg_subscription_rel srsubid:i srrelid:i srsubstate:c
pg_tables* schemaname:t tablename:t tableowner:t tablespace:t hasindexes:b hasrules:b hastriggers:b rowsecurity:b
pg_tablespace* oid:i spcname:t spcowner:i spcacl:T spcoptions:T
pg_timezone_abbrevs abbrev:t utc_offset:t is_dst:b
pg_timezone_names name:t abbrev:t utc_offset:t is_dst:b
pg_trigger oid:i tgrelid:i tgparentid:i tgname:t tgfoid:i tgtype:i tgenabled:c tgisinternal:b tgconstrrelid:i tgconstrindid:i tgconstraint:i tgdeferrable:b tginitdeferred:b tgnargs:i tgattr:I tgargs:t tgqual:t tgoldtable:t tgnewtable:t
pg_ts_config oid:i cfgname:t cfgnamespace:i cfgowner:i cfgparser:i
pg_ts_dict oid:i dictname:t dictnamespace:i dictowner:i dicttemplate:i dictinitoption:t
pg_ts_parser oid:i prsname:t prsnamespace:i
pg_ts_template oid:i tmplname:t tmplnamespace:i
pg_type* oid:i typname:t typnamespace:i typowner:i typlen:i typbyval:b typtype:c typcategory:c typispreferred:b typisdefined:b typdelim:c typrelid:i typsubscript:p typelem:i typarray:i typinput:p typoutput:p typreceive:p typsend:p typmodin:p typmodout:p typanalyze:p typalign:c typstorage:c typnotnull:b typbasetype:i typtypmod:i typndims:i typcollation:i typdefaultbin:t typdefault:t typacl:T
pg_user* usename:t usesysid:i usecreatedb:b usesuper:b userepl:b usebypassrls:b passwd:t valuntil:t useconfig:T
pg_user_mapping oid:i umuser:i umserver:i umoptions:T
pg_user_mappings umid:i srvid:i srvname:t umuser:i usename:t umoptions:T
pg_views schemaname:t viewname:t viewowner:t definition:t
";

/// The schema `information_schema`.
pub(super) const INFORMATION_SCHEMA: &str = "
applicable_roles grantee:t role_name:t is_grantable:t
character_sets character_set_catalog:t character_set_schema:t character_set_name:t character_repertoire:t form_of_use:t default_collate_catalog:t default_collate_schema:t default_collate_name:t
check_constraints constraint_catalog:t constraint_schema:t constraint_name:t check_clause:t
column_privileges grantor:t grantee:t table_catalog:t table_schema:t table_name:t column_name:t privilege_type:t is_grantable:t
columns* table_catalog:t table_schema:t table_name:t column_name:t ordinal_position:i column_default:t is_nullable:t data_type:t character_maximum_length:o character_octet_length:o numeric_precision:o numeric_precision_radix:o numeric_scale:o datetime_precision:o interval_type:t interval_precision:o character_set_catalog:t character_set_schema:t character_set_name:t collation_catalog:t collation_schema:t collation_name:t domain_catalog:t domain_schema:t domain_name:t udt_catalog:t udt_schema:t udt_name:t scope_catalog:t scope_schema:t scope_name:t maximum_cardinality:o dtd_identifier:t is_self_referencing:t is_identity:t identity_generation:t identity_start:t identity_increment:t identity_maximum:t identity_minimum:t identity_cycle:t is_generated:t generation_expression:t is_updatable:t
constraint_column_usage table_catalog:t table_schema:t table_name:t column_name:t constraint_catalog:t constraint_schema:t constraint_name:t
constraint_table_usage table_catalog:t table_schema:t table_name:t constraint_catalog:t constraint_schema:t constraint_name:t
domains domain_catalog:t domain_schema:t domain_name:t data_type:t
enabled_roles role_name:t
key_column_usage constraint_catalog:t constraint_schema:t constraint_name:t table_catalog:t table_schema:t table_name:t column_name:t ordinal_position:i position_in_unique_constraint:o
parameters specific_catalog:t specific_schema:t specific_name:t ordinal_position:i parameter_mode:t parameter_name:t data_type:t
referential_constraints constraint_catalog:t constraint_schema:t constraint_name:t unique_constraint_catalog:t unique_constraint_schema:t unique_constraint_name:t match_option:t update_rule:t delete_rule:t
role_table_grants grantor:t grantee:t table_catalog:t table_schema:t table_name:t privilege_type:t is_grantable:t with_hierarchy:t
routines specific_catalog:t specific_schema:t specific_name:t routine_catalog:t routine_schema:t routine_name:t routine_type:t data_type:t routine_body:t routine_definition:t external_language:t
schemata* catalog_name:t schema_name:t schema_owner:t default_character_set_catalog:t default_character_set_schema:t default_character_set_name:t sql_path:t
sequences sequence_catalog:t sequence_schema:t sequence_name:t data_type:t numeric_precision:o start_value:t minimum_value:t maximum_value:t increment:t cycle_option:t
table_constraints constraint_catalog:t constraint_schema:t constraint_name:t table_catalog:t table_schema:t table_name:t constraint_type:t is_deferrable:t initially_deferred:t enforced:t
table_privileges grantor:t grantee:t table_catalog:t table_schema:t table_name:t privilege_type:t is_grantable:t with_hierarchy:t
tables* table_catalog:t table_schema:t table_name:t table_type:t self_referencing_column_name:t reference_generation:t user_defined_type_catalog:t user_defined_type_schema:t user_defined_type_name:t is_insertable_into:t is_typed:t commit_action:t
triggers trigger_catalog:t trigger_schema:t trigger_name:t event_manipulation:t event_object_catalog:t event_object_schema:t event_object_table:t action_order:i action_condition:t action_statement:t action_orientation:t action_timing:t
views table_catalog:t table_schema:t table_name:t view_definition:t check_option:t is_updatable:t is_insertable_into:t
";

/// Which tables there are, and whether they have rows.
static KNOWN: LazyLock<HashMap<&'static str, bool>> = LazyLock::new(|| {
    let all = of(PG_CATALOG).into_iter().chain(of(INFORMATION_SCHEMA));
    all.map(|table| (table.name, table.has_rows)).collect()
});

/// Columns with lists, all of which are null in each row.
static LISTS: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| columns_of(&[ColumnKind::Texts, ColumnKind::Ints]));

/// Columns with the names of functions.
static PROCEDURES: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| columns_of(&[ColumnKind::Procedure]));

fn columns_of(kinds: &[ColumnKind]) -> HashSet<&'static str> {
    let all = of(PG_CATALOG).into_iter().chain(of(INFORMATION_SCHEMA));
    let columns = all.flat_map(|table| table.columns);
    columns.filter(|(_, kind)| kinds.contains(kind)).map(|(name, _)| name).collect()
}

/// Whether a column of the catalogs has lists, which are null in each row.
pub(in crate::sql) fn is_list_column(name: &str) -> bool {
    LISTS.contains(name)
}

/// Whether a column of the catalogs has names of functions, where PostgreSQL has their numbers.
pub(in crate::sql) fn is_procedure_column(name: &str) -> bool {
    PROCEDURES.contains(name)
}

/// Whether a table is one of the catalogs.
pub(in crate::sql) fn is_catalog_table(name: &str) -> bool {
    KNOWN.contains_key(name)
}

/// Whether it never has rows.
pub(in crate::sql) fn is_empty_table(name: &str) -> bool {
    KNOWN.get(name).is_some_and(|has_rows| !has_rows)
}

/// The tables of a schema.
pub(super) fn of(schema: &'static str) -> Vec<CatalogTable> {
    schema.lines().filter_map(table).collect()
}

fn table(line: &'static str) -> Option<CatalogTable> {
    let (name, columns) = line.split_once(' ')?;
    let columns = columns.split(' ').filter_map(|column| {
        let (name, kind) = column.split_once(':')?;
        let kind = match kind {
            "i" => ColumnKind::Int,
            "o" => ColumnKind::OptionalInt,
            "f" => ColumnKind::Float,
            "b" => ColumnKind::Bool,
            "t" => ColumnKind::Text,
            "c" => ColumnKind::Char,
            "p" => ColumnKind::Procedure,
            "T" => ColumnKind::Texts,
            "I" => ColumnKind::Ints,
            _ => return None,
        };
        Some((name, kind))
    });
    let plain = name.trim_end_matches('*');
    Some(CatalogTable {
        name: plain,
        has_rows: plain.len() < name.len(),
        columns: columns.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_a_table_and_each_word_a_column() {
        for schema in [PG_CATALOG, INFORMATION_SCHEMA] {
            let tables = of(schema);
            assert_eq!(tables.len(), schema.trim().lines().count());
            for (table, line) in tables.iter().zip(schema.trim().lines()) {
                assert_eq!(table.columns.len(), line.split(' ').count() - 1, "{line}");
            }
            let names: Vec<_> = tables.iter().map(|table| table.name).collect();
            assert!(names.is_sorted(), "{names:?}");
        }
        assert!(is_empty_table("pg_index") && !is_empty_table("pg_class"));
        assert!(!is_empty_table("events") && !is_catalog_table("events"));
        assert!(is_list_column("reloptions") && !is_list_column("relname"));
        assert!(is_procedure_column("typreceive") && !is_procedure_column("typname"));
    }
}
