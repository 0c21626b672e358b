//! The function `dimension_value`, by which our queries read the value of a dimension out of
//! attributes. Askers have none of the name.

use std::sync::Arc;

use arrow::array::{Array as _, AsArray as _, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::common::{ScalarValue, exec_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::event::{attribute_of, dimension_value};

/// Its name.
const NAME: &str = "dimension_value";

/// The function: of attributes and a key, the value of a dimension, or null.
pub fn dimension_function() -> Arc<ScalarUDF> {
    let signature = Signature::any(2, Volatility::Immutable);
    Arc::new(ScalarUDF::from(DimensionValue { signature }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct DimensionValue {
    signature: Signature,
}

impl ScalarUDFImpl for DimensionValue {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [attributes, key] = args.args.as_slice() else {
            return exec_err!("{NAME} takes attributes and a key");
        };
        let key = match key {
            ColumnarValue::Scalar(
                ScalarValue::Utf8(Some(key)) | ScalarValue::Utf8View(Some(key)),
            ) => key,
            _ => return exec_err!("{NAME} takes a key that is a text"),
        };
        let attributes = attributes.to_array(args.number_rows)?;
        let Some(attributes) = attributes.as_map_opt() else {
            return exec_err!("{NAME} takes attributes");
        };
        let mut values = StringBuilder::new();
        for row in 0..attributes.len() {
            let value = attribute_of(attributes, row, key).and_then(dimension_value);
            values.append_option(value);
        }
        Ok(ColumnarValue::Array(Arc::new(values.finish())))
    }
}
