//! Tests of the weights of rows.

use arrow::array::{ListBuilder, StringViewBuilder, StructArray};

use super::*;

fn texts(long: impl Fn(usize) -> bool) -> ArrayRef {
    let mut builder = StringViewBuilder::new();
    let block = builder.append_block("x".repeat(100_000).into_bytes().into());
    for row in 0..1_000 {
        if long(row) {
            builder.try_append_view(block, 0, 100_000).unwrap();
        } else {
            builder.append_value("y");
        }
    }
    Arc::new(builder.finish())
}

fn rows_of_pieces(column: ArrayRef, bytes: usize) -> Vec<usize> {
    let numbers: ArrayRef = Arc::new((0..1_000).map(Some).collect::<UInt32Array>());
    let batch = RecordBatch::try_from_iter([("a", column), ("n", numbers)]).unwrap();
    let cut: Vec<_> = pieces(batch.clone(), bytes).map(Result::unwrap).collect();
    let joined = arrow::compute::concat_batches(&batch.schema(), &cut).unwrap();
    assert_eq!(joined, batch);
    cut.iter().map(RecordBatch::num_rows).collect()
}

#[test]
fn a_batch_is_cut_by_what_its_rows_weigh_once_they_have_their_texts() {
    assert_eq!(rows_of_pieces(texts(|_| false), 1 << 20), [1_000]);
    let long = rows_of_pieces(texts(|_| true), 1 << 20);
    assert!(long.len() == 100 && long.iter().all(|rows| *rows == 10), "{long:?}");
    let late = rows_of_pieces(texts(|row| row >= 995), 250_000);
    assert_eq!(late, [997, 2, 1]);
    // A row is never split.
    assert_eq!(rows_of_pieces(texts(|row| row == 1), 1_000)[..2], [1, 1]);
}

#[test]
fn texts_in_lists_and_structs_count_for_their_rows() {
    let mut builder = ListBuilder::new(StringViewBuilder::new());
    for row in 0..1_000 {
        for _ in 0..row % 3 {
            builder.values().append_value("z".repeat(5_000));
        }
        builder.append(true);
    }
    let list: ArrayRef = Arc::new(builder.finish());
    let cut = rows_of_pieces(list.clone(), 50_000);
    assert!(cut.iter().all(|rows| (8..=12).contains(rows) || *rows < 8), "{cut:?}");
    assert!((95..=130).contains(&cut.len()), "{}", cut.len());
    let field = Arc::new(Field::new("l", list.data_type().clone(), true));
    let inside: ArrayRef = Arc::new(StructArray::from(vec![(field, list)]));
    assert!((95..=130).contains(&rows_of_pieces(inside, 50_000).len()));
}

#[test]
fn a_view_is_asked_for_wherever_a_text_is() {
    let text = Field::new("t", DataType::Utf8, true);
    let list = Field::new("l", DataType::List(Arc::new(text.clone())), true);
    let both = DataType::Struct(vec![text, list].into());
    let field = with_views(&Arc::new(Field::new("s", both, false)));
    let shown = field.data_type().to_string();
    assert!(shown.matches("Utf8View").count() == 2 && !shown.contains("Utf8\""), "{shown}");
}
