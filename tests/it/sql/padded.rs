//! Tests that rows which an outer join or grouping sets pad with NULL are sorted, numbered and
//! summed by their values.

use super::{answer, small};

/// Calls 1 to 3, of which only the second has a price.
const PRICED: &str = "(select v, c from (values (3), (2), (1)) a(v)
    left join (select w, 5 as c from (values (2)) b(w)) b on v = w)";

#[test]
fn padded_rows_are_sorted_and_counted_by_their_values() {
    let archive = small();
    for (question, expected) in [
        // The padded column is a constant of its table, by its value or by a filter.
        ("select * from (select 1 a) x full join (select 2 b) y on a = b order by 1", "1,|,2"),
        (
            "select x.k, y.k from (select k from (values (1), (2)) x(k) where k = 1) x
             full join (select k from (values (2), (3)) y(k) where k = 2) y on x.k = y.k
             order by x.k nulls first",
            ",2|1,",
        ),
        ("select v, c from PRICED order by c nulls first, v desc", "3,|1,|2,5"),
        ("select c, v from PRICED order by c desc nulls last, v limit 2", "5,2|,1"),
        (
            "select v, c from (select w, 5 as c from (values (2)) b(w)) b
             right join (values (3), (2), (1)) a(v) on v = w order by c, v",
            "2,5|1,|3,",
        ),
        // A join without an equality is another node of the plan.
        (
            "select v, c from (values (3), (2), (1)) a(v)
             left join (select w, 5 as c from (values (2)) b(w)) b on v < w order by c, v",
            "1,5|2,|3,",
        ),
        // Windows and groups go by the padded column too.
        ("select v, sum(1) over (partition by c order by v) from PRICED order by v", "1,1|2,1|3,2"),
        ("select v, rank() over (order by c nulls first) from PRICED order by v", "1,1|2,3|3,1"),
        ("select c, count(*) from PRICED group by c order by c nulls first", ",2|5,1"),
        // Of the tables.
        (
            "select e.provider, e.model, g.m from (select distinct provider, model from
             usage_hourly) e left join (select provider, model as m from usage_hourly
             where model = 'gpt-4o' group by 1, 2) g on g.provider = e.provider and g.m = e.model
             order by g.m, e.model limit 1",
            "openai,gpt-4o,gpt-4o",
        ),
        // Grouping sets leave a column out.
        (
            "select m, count(*) from (values ('x'), ('x')) t(m) where m = 'x' group by rollup (m)
             order by m nulls last",
            "x,2|,2",
        ),
        (
            "select m, k, count(*) from (values ('x', 1), ('x', 2)) t(m, k) where m = 'x'
             group by grouping sets ((m, k), (k), ()) order by m nulls first, k nulls first",
            ",,2|,1,1|,2,1|x,1,1|x,2,1",
        ),
        (
            "select m, k, sum(n) over (partition by m) from (select m, k, count(*) n from
             (values ('x', 1), ('x', 2)) t(m, k) where m = 'x' group by cube (m, k)) s
             order by m, k",
            "x,1,4|x,2,4|x,,4|,1,4|,2,4|,,4",
        ),
    ] {
        let question = question.replace("PRICED", PRICED);
        for more in [&[][..], &["--org", "acme"]] {
            let args = [&["-c", &question, "--format", "csv"], more].concat();
            let done = answer(archive.path(), &args);
            let rows: Vec<_> = done.lines().skip(1).collect();
            assert_eq!(rows.join("|"), expected, "{question} {more:?}");
        }
    }
}
