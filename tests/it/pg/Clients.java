// Asks through JDBC. Arguments: the port. The key is in PGPASSWORD.

import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.List;

public class Clients {
    static void check(boolean holds, Object what) {
        if (!holds) {
            throw new AssertionError(String.valueOf(what));
        }
    }

    static List<String> names(ResultSet rows, String column) throws SQLException {
        List<String> names = new ArrayList<>();
        while (rows.next()) {
            names.add(rows.getString(column));
        }
        return names;
    }

    static void asks(Connection connection) throws SQLException {
        String ask = "SELECT event_id, ts, input_tokens, cost_usd, attributes FROM events WHERE model = ? AND cost_usd < ?";
        try (PreparedStatement statement = connection.prepareStatement(ask)) {
            // From the fifth time on it is a statement of the server, with binary formats.
            for (int turn = 0; turn < 8; turn++) {
                statement.setString(1, "gpt-4o");
                statement.setBigDecimal(2, new BigDecimal("0.15"));
                ResultSet rows = statement.executeQuery();
                check(rows.next(), "a row");
                check(rows.getString(1).equals("101"), rows.getString(1));
                check(rows.getObject(2, OffsetDateTime.class).toInstant().toString().equals("2026-01-15T10:00:00Z"), rows.getObject(2));
                check(rows.getLong(3) == 10, rows.getLong(3));
                check(rows.getBigDecimal(4).compareTo(new BigDecimal("0.1")) == 0, rows.getBigDecimal(4));
                check(rows.getString(5).contains("\"n\""), rows.getString(5));
                check(!rows.next(), "one row");
            }
        }
        try (PreparedStatement statement = connection.prepareStatement("SELECT count(*) FROM events WHERE model = ANY(?)")) {
            statement.setArray(1, connection.createArrayOf("text", new String[] {"gpt-4o", "claude"}));
            ResultSet rows = statement.executeQuery();
            check(rows.next() && rows.getLong(1) == 4, "a list");
        }
        connection.setAutoCommit(false);
        try (Statement statement = connection.createStatement()) {
            statement.setFetchSize(3);
            ResultSet rows = statement.executeQuery("SELECT event_id FROM events ORDER BY ts");
            check(names(rows, "event_id").equals(List.of("101", "102", "103", "104")), "portions");
        }
        connection.commit();
        connection.setAutoCommit(true);
        try (Statement statement = connection.createStatement()) {
            statement.executeQuery("SELECT * FROM nothing");
            throw new AssertionError("a table that is not there");
        } catch (SQLException error) {
            check(error.getSQLState().equals("42P01"), error);
        }
    }

    static void looksAround(DatabaseMetaData data) throws SQLException {
        List<String> tables = List.of("events", "provider_reports", "usage_by_dimension", "usage_hourly");
        check(names(data.getTables(null, "public", "%", new String[] {"TABLE"}), "TABLE_NAME").equals(tables), "tables");
        check(names(data.getTables(null, null, "events", null), "TABLE_NAME").contains("events"), "a table");
        ResultSet columns = data.getColumns(null, "public", "events", "cost_usd");
        check(columns.next() && columns.getInt("COLUMN_SIZE") == 18 && columns.getInt("DECIMAL_DIGITS") == 12, "money");
        check(names(data.getColumns(null, null, "events", "%"), "COLUMN_NAME").contains("attributes"), "columns");
        check(names(data.getSchemas(), "TABLE_SCHEM").contains("public"), "schemas");
        check(names(data.getCatalogs(), "TABLE_CAT").contains("lake"), "catalogs");
        check(!names(data.getTypeInfo(), "TYPE_NAME").isEmpty(), "types");
        check(!names(data.getTableTypes(), "TABLE_TYPE").isEmpty(), "kinds");
        check(names(data.getPrimaryKeys(null, "public", "events"), "COLUMN_NAME").isEmpty(), "keys");
        check(names(data.getImportedKeys(null, "public", "events"), "FK_NAME").isEmpty(), "foreign keys");
        check(names(data.getExportedKeys(null, "public", "events"), "FK_NAME").isEmpty(), "foreign keys");
        check(names(data.getIndexInfo(null, "public", "events", false, false), "INDEX_NAME").isEmpty(), "indexes");
        check(names(data.getBestRowIdentifier(null, "public", "events", 0, true), "COLUMN_NAME").isEmpty(), "identifiers");
        check(names(data.getProcedures(null, null, "%"), "PROCEDURE_NAME").isEmpty(), "procedures");
        check(names(data.getFunctions(null, null, "%"), "FUNCTION_NAME").isEmpty(), "functions");
        check(names(data.getUDTs(null, null, "%", null), "TYPE_NAME").isEmpty(), "own types");
        data.getTablePrivileges(null, "public", "events").close();
        data.getColumnPrivileges(null, "public", "events", "%").close();
        check(data.getSQLKeywords() != null && data.getMaxColumnNameLength() == 63, "names");
        check(data.getDatabaseProductName().equals("PostgreSQL"), data.getDatabaseProductName());
    }

    public static void main(String[] args) throws SQLException {
        String url = "jdbc:postgresql://127.0.0.1:" + args[0] + "/lake";
        try (Connection connection = DriverManager.getConnection(url, "ana", System.getenv("PGPASSWORD"))) {
            asks(connection);
            looksAround(connection.getMetaData());
        }
        System.out.println("all is well");
    }
}
