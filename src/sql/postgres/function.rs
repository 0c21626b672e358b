//! Scalar functions. Each consists of two plain functions: one for the types of its arguments and
//! result, and one that computes columns.

use std::hash::{Hash, Hasher};

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

/// The types to which a function's arguments are cast, and the type of its result.
pub(in crate::sql) struct PlannedTypes {
    pub takes: Vec<DataType>,
    pub gives: DataType,
}

/// The types of arguments, and the values of those that are literals.
pub(in crate::sql) struct Given<'a> {
    pub types: &'a [DataType],
    values: &'a [Option<&'a ScalarValue>],
}

impl<'a> Given<'a> {
    /// Types alone.
    pub(super) fn types(types: &'a [DataType]) -> Self {
        Self { types, values: &[] }
    }

    /// How many arguments there are.
    pub(in crate::sql) fn count(&self) -> usize {
        self.types.len()
    }

    /// The literal text at a position.
    pub(super) fn text(&self, place: usize) -> Option<&'a str> {
        (*self.values.get(place)?)?.try_as_str()?
    }

    /// The literal integer at a position.
    pub(super) fn integer(&self, place: usize) -> Option<i64> {
        match *self.values.get(place)? {
            Some(ScalarValue::Int64(value)) => *value,
            Some(ScalarValue::Int32(value)) => value.map(i64::from),
            _ => None,
        }
    }
}

type PlanFn = fn(&Given<'_>) -> Result<PlannedTypes>;
type RunFn = fn(&[ArrayRef], &DataType) -> Result<ArrayRef>;

/// A scalar function that depends on its arguments alone.
#[derive(Debug, Clone)]
pub(super) struct Function {
    pub name: &'static str,
    /// The sign between its two arguments, if it is an operator.
    pub sign: Option<&'static str>,
    pub signature: Signature,
    pub plan: PlanFn,
    pub run: RunFn,
    /// The planner's result for this call.
    pub planned: Option<Planned>,
}

/// The planned call of an operator. It is only valid during planning, because rules change types.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    /// The type of its result.
    pub gives: DataType,
    /// The number of operators in the chain that ends with it.
    pub operators: usize,
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Function {}

impl Hash for Function {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

/// The function with this name.
pub(in crate::sql) fn function(name: &'static str, plan: PlanFn, run: RunFn) -> ScalarUDF {
    let signature = Signature::user_defined(Volatility::Immutable);
    Function { name, sign: None, signature, plan, run, planned: None }.into()
}

/// The function behind an operator, which plans show as the operator.
pub(super) fn operator(
    name: &'static str,
    sign: &'static str,
    plan: PlanFn,
    run: RunFn,
) -> ScalarUDF {
    let signature = Signature::user_defined(Volatility::Immutable);
    Function { name, sign: Some(sign), signature, plan, run, planned: None }.into()
}

/// A call of the function.
pub(super) fn call(function: ScalarUDF, args: Vec<Expr>) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(function.into(), args))
}

impl ScalarUDFImpl for Function {
    fn name(&self) -> &str {
        self.name
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        if let (Some(sign), [left, right]) = (self.sign, args) {
            return Ok(format!("{} {sign} {}", left.schema_name(), right.schema_name()));
        }
        let args: Vec<_> = args.iter().map(|arg| arg.schema_name().to_string()).collect();
        Ok(format!("{}({})", self.name, args.join(",")))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        (self.plan)(&Given::types(types)).map(|types| types.gives)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types: Vec<_> = args.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        let types = (self.plan)(&Given { types: &types, values: args.scalar_arguments })?;
        Ok(Field::new(self.name, types.gives, true).into())
    }

    fn evaluate_bounds(&self, inputs: &[&Interval]) -> Result<Interval> {
        // The default is an interval without a type, which other expressions reject.
        let types: Vec<_> = inputs.iter().map(|input| input.data_type()).collect();
        Interval::make_unbounded(&self.return_type(&types).unwrap_or(DataType::Null))
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        (self.plan)(&Given::types(types)).map(|types| types.takes)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let one = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let columns = ColumnarValue::values_to_arrays(&args.args)?;
        let made = (self.run)(&columns, args.return_field.data_type())?;
        if one {
            return ScalarValue::try_from_array(&made, 0).map(ColumnarValue::Scalar);
        }
        Ok(ColumnarValue::Array(made))
    }
}
