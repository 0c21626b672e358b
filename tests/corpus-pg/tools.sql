-- What other tools ask: Tableau, Power BI, DataGrip, pgcli, and people who look around.
select typname, oid from pg_type where typname in ('bool', 'numeric', 'timestamptz');
SELECT oid, typname FROM pg_catalog.pg_type WHERE typname = 'hstore';
select datname from pg_database where datistemplate = false;
SELECT n.nspname schema_name, c.relname table_name FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = ANY('{r,p,f}') ORDER BY 1,2;
SELECT nsp.nspname schema_name, cls.relname table_name, att.attname column_name, att.atttypid::regtype::text type_name, att.atthasdef AS has_default, pg_catalog.pg_get_expr(def.adbin, def.adrelid, true) as default FROM pg_catalog.pg_attribute att INNER JOIN pg_catalog.pg_class cls ON att.attrelid = cls.oid INNER JOIN pg_catalog.pg_namespace nsp ON cls.relnamespace = nsp.oid LEFT OUTER JOIN pg_attrdef def ON def.adrelid = att.attrelid AND def.adnum = att.attnum WHERE cls.relkind = ANY('{r,p,f}') AND NOT att.attisdropped AND att.attnum > 0 ORDER BY 1, 2, att.attnum;
select * from unnest(current_schemas(true));
SELECT 'events'::regclass::oid, 16384::regclass, 'public'::regnamespace, 2200::regnamespace, 'int4'::regtype, 23::regtype;
select table_name, column_name from information_schema.columns where table_schema = current_schema() and data_type = 'numeric';
SELECT table_catalog, table_schema, table_name, table_type FROM information_schema.tables WHERE table_catalog = current_database();
select pg_is_in_recovery(), pg_backend_pid(), inet_server_addr();
SELECT has_table_privilege('events', 'SELECT'), has_table_privilege('events', 'INSERT'), has_schema_privilege('public', 'USAGE');
SELECT count(*) FROM pg_catalog.pg_tables WHERE schemaname = 'public';
SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_proc WHERE proname = 'nothing');
select set_config('search_path', 'public', false);
SELECT c.relname, c.oid::regclass::text, c.oid::regclass::oid = c.oid FROM pg_class c WHERE c.oid = ('public.' || 'events')::regclass;
SELECT c.relname FROM pg_class c WHERE c.oid = c.relname::regclass ORDER BY 1;
SELECT ARRAY(SELECT nspname FROM pg_namespace ORDER BY nspname), ARRAY(SELECT conname FROM pg_constraint);
