//! A long chain of operators as one function.
//!
//! The type and the name of an expression are requested at each of its levels, and each request
//! visits everything below. If each operator were a function of two arguments, planning a chain
//! would take cubic time. So beyond some length, a chain consists of functions with many arguments
//! and stays shallow. Its type is stored with it while it grows.

use std::hash::{Hash, Hasher};

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{ExprSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable as _, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};

use super::function::{Function, Given, Planned, PlannedTypes, call};
use super::refusal::refused;

/// Up to this length, each operator of a chain is a separate function.
const PLAIN_MAX: usize = 32;
/// The most operators of one function. All arguments are in memory before it runs, so the number is
/// limited.
const STEPS_MAX: usize = 64;

/// The type of an expression while its query is being planned.
pub(super) fn type_of(expr: &Expr, schema: &dyn ExprSchema) -> Result<DataType> {
    match planned(expr) {
        Some(planned) => Ok(planned.gives.clone()),
        None => expr.get_type(schema),
    }
}

fn planned(expr: &Expr) -> Option<&Planned> {
    let Expr::ScalarFunction(function) = expr else { return None };
    let function = function.func.inner();
    match function.downcast_ref::<OperatorChain>() {
        Some(chain) => Some(&chain.planned),
        None => function.downcast_ref::<Function>()?.planned.as_ref(),
    }
}

/// The call of an operator between two expressions of these types.
pub(super) fn applied(
    operator: &ScalarUDF,
    (left, left_type): (Expr, DataType),
    (right, right_type): (Expr, DataType),
) -> Result<Expr> {
    let Some(step) = operator.inner().downcast_ref::<Function>() else {
        return Ok(call(operator.clone(), vec![left, right]));
    };
    let gives = types_of(step, &left_type, &right_type)?.gives;
    let operators = planned(&left).map_or(0, |before| before.operators) + 1;
    let planned = Planned { gives, operators };
    if operators <= PLAIN_MAX {
        let function = Function { planned: Some(planned), ..step.clone() };
        return Ok(call(function.into(), vec![left, right]));
    }
    let (mut steps, mut args) = parts(left);
    steps.push(step.clone());
    args.push(right);
    let signature = Signature::user_defined(Volatility::Immutable);
    Ok(call(OperatorChain { steps, signature, planned }.into(), args))
}

/// The operators and arguments of a chain that has room for more, or the expression alone.
fn parts(expr: Expr) -> (Vec<Function>, Vec<Expr>) {
    let expr = match expr {
        Expr::ScalarFunction(ScalarFunction { func, args }) => {
            match func.inner().downcast_ref::<OperatorChain>() {
                Some(chain) if chain.steps.len() < STEPS_MAX => return (chain.steps.clone(), args),
                _ => Expr::ScalarFunction(ScalarFunction { func, args }),
            }
        }
        expr => expr,
    };
    (Vec::new(), vec![expr])
}

fn types_of(step: &Function, left: &DataType, right: &DataType) -> Result<PlannedTypes> {
    (step.plan)(&Given::types(&[left.clone(), right.clone()]))
}

fn missing() -> datafusion::error::DataFusionError {
    refused("an argument is missing")
}

/// The names of the operators of a chain; `None` for other functions.
pub(super) fn steps_of(function: &ScalarUDF) -> Option<Vec<&'static str>> {
    let chain = function.inner().downcast_ref::<OperatorChain>()?;
    Some(chain.steps.iter().map(|step| step.name).collect())
}

/// The chain of these operators, for a plan that is made already; `None` without any.
pub(super) fn with_steps(steps: Vec<Function>) -> Option<ScalarUDF> {
    let signature = Signature::user_defined(Volatility::Immutable);
    let planned = Planned { gives: DataType::Null, operators: steps.len() };
    (!steps.is_empty()).then(|| OperatorChain { steps, signature, planned }.into())
}

/// Operators, each applied to the result of those before it and the next argument.
#[derive(Debug)]
struct OperatorChain {
    steps: Vec<Function>,
    signature: Signature,
    planned: Planned,
}

impl PartialEq for OperatorChain {
    fn eq(&self, other: &Self) -> bool {
        self.steps == other.steps
    }
}

impl Eq for OperatorChain {}

impl Hash for OperatorChain {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.steps.hash(state);
    }
}

impl OperatorChain {
    /// The arguments with signs between them.
    fn shown(&self, args: impl Iterator<Item = String>) -> String {
        let signs = self.steps.iter().map(|step| step.sign.unwrap_or(step.name));
        let signs = std::iter::once(None).chain(signs.map(Some));
        let parts = signs.zip(args).map(|(sign, arg)| match sign {
            Some(sign) => format!(" {sign} {arg}"),
            None => arg,
        });
        parts.collect()
    }

    /// The types to which the arguments are cast, and the type of the result.
    fn types(&self, given: &[DataType]) -> Result<PlannedTypes> {
        let (first, others) = given.split_first().ok_or_else(missing)?;
        let (mut takes, mut gives) = (Vec::with_capacity(given.len()), first.clone());
        for (step, next) in self.steps.iter().zip(others) {
            let types = types_of(step, &gives, next)?;
            // The result of an operator is cast when the next one runs.
            takes.extend(types.takes.into_iter().skip(usize::from(!takes.is_empty())));
            gives = types.gives;
        }
        Ok(PlannedTypes { takes, gives })
    }
}

/// The result of an operator for two values.
fn run(step: &Function, left: &ColumnarValue, right: &ColumnarValue) -> Result<ColumnarValue> {
    let PlannedTypes { takes, gives } = types_of(step, &left.data_type(), &right.data_type())?;
    let one = [left, right].iter().all(|value| matches!(value, ColumnarValue::Scalar(_)));
    let given = [left, right].into_iter().zip(&takes).map(|(value, kind)| {
        if value.data_type() == *kind { Ok(value.clone()) } else { value.cast_to(kind, None) }
    });
    let columns = ColumnarValue::values_to_arrays(&given.collect::<Result<Vec<_>>>()?)?;
    let made = (step.run)(&columns, &gives)?;
    if one {
        return ScalarValue::try_from_array(&made, 0).map(ColumnarValue::Scalar);
    }
    Ok(ColumnarValue::Array(made))
}

impl ScalarUDFImpl for OperatorChain {
    fn name(&self) -> &'static str {
        "chain"
    }

    fn display_name(&self, args: &[Expr]) -> Result<String> {
        Ok(self.shown(args.iter().map(ToString::to_string)))
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(self.shown(args.iter().map(|arg| arg.schema_name().to_string())))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.types(types).map(|types| types.gives)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types: Vec<_> = args.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        Ok(Field::new(self.name(), self.return_type(&types)?, true).into())
    }

    fn evaluate_bounds(&self, inputs: &[&Interval]) -> Result<Interval> {
        let types: Vec<_> = inputs.iter().map(|input| input.data_type()).collect();
        Interval::make_unbounded(&self.return_type(&types).unwrap_or(DataType::Null))
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.types(types).map(|types| types.takes)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let mut args = args.args.into_iter();
        let first = args.next().ok_or_else(missing)?;
        self.steps.iter().zip(args).try_fold(first, |left, (step, right)| run(step, &left, &right))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::Arc;

    use arrow::array::{Array as _, Int64Array, RecordBatch};
    use arrow::datatypes::Schema;
    use datafusion::common::tree_node::{TreeNode as _, TreeNodeRecursion};
    use datafusion::common::{Column, DFSchema};
    use datafusion::execution::SessionStateBuilder;
    use datafusion::logical_expr::planner::{PlannerResult, RawBinaryExpr};
    use datafusion::logical_expr::{cast, col, lit};
    use datafusion::prelude::SessionContext;
    use datafusion::sql::sqlparser::ast::BinaryOperator;

    use super::super::planner::planned_operator;
    use super::*;

    /// Counts the requests for types of columns.
    #[derive(Debug)]
    struct Counted(DFSchema, Cell<usize>);

    impl ExprSchema for Counted {
        fn field_from_column(&self, column: &Column) -> Result<&FieldRef> {
            self.1.set(self.1.get() + 1);
            self.0.field_from_column(column)
        }
    }

    fn chain(operators: &[BinaryOperator], operand: &Expr, schema: &dyn ExprSchema) -> Expr {
        operators.iter().fold(operand.clone(), |left, op| {
            let raw = RawBinaryExpr { op: op.clone(), left, right: operand.clone() };
            match planned_operator(raw, schema).unwrap() {
                PlannerResult::Planned(planned) => planned,
                PlannerResult::Original(raw) => panic!("{:?} is not planned", raw.op),
            }
        })
    }

    fn depth(expr: &Expr) -> usize {
        let mut below = 0;
        let visited = expr.apply_children(|child| {
            below = below.max(depth(child));
            Ok(TreeNodeRecursion::Continue)
        });
        visited.unwrap();
        below + 1
    }

    fn schema(kind: DataType) -> DFSchema {
        DFSchema::try_from(Schema::new(vec![Field::new("a", kind, false)])).unwrap()
    }

    #[test]
    fn a_chain_asks_for_each_type_once_and_stays_shallow() {
        let kinds = [DataType::Int64, DataType::Float64, DataType::Decimal128(18, 12)];
        for kind in kinds {
            let counted = Counted(schema(kind), Cell::new(0));
            let operators = vec![BinaryOperator::Plus; 5_000];
            let long = chain(&operators, &col("a"), &counted);
            assert!(counted.1.get() <= 5_001, "{} questions", counted.1.get());
            let most = PLAIN_MAX + 5_000 / STEPS_MAX + 3;
            assert!(depth(&long) <= most, "{} levels", depth(&long));
            assert_eq!(long.schema_name().to_string().matches('+').count(), 5_000);
            long.get_type(&counted.0).unwrap();
        }
    }

    #[tokio::test]
    async fn a_long_chain_is_what_its_operators_are() {
        use BinaryOperator::{Minus, Modulo, Multiply, Plus};
        let state = SessionStateBuilder::new().with_default_features().build();
        let context = SessionContext::new_with_state(super::super::like_postgres(state));
        let rows: Int64Array = [Some(3), None, Some(-7)].into_iter().collect();
        let rows = RecordBatch::try_from_iter([("a", Arc::new(rows) as _)]).unwrap();
        let cycle = [Plus, Plus, Multiply, Minus, Modulo, Plus];
        for count in [1, PLAIN_MAX, PLAIN_MAX + 1, PLAIN_MAX + STEPS_MAX + 1, 200] {
            for kind in [DataType::Int64, DataType::Int32, DataType::Decimal128(38, 0)] {
                let operators: Vec<_> = cycle.iter().cloned().cycle().take(count).collect();
                let operand = cast(col("a"), kind.clone());
                let found = chain(&operators, &operand, &schema(DataType::Int64));
                let frame = context.read_batch(rows.clone()).unwrap();
                let frame = frame.select(vec![found.alias("made"), lit(1).alias("one")]).unwrap();
                let found = frame.collect().await.unwrap();
                let made = found[0]["made"].clone();
                let made = arrow::compute::cast(&made, &DataType::Int64).unwrap();
                let made = made.as_any().downcast_ref::<Int64Array>().unwrap().clone();
                let expected = |a: i64| {
                    operators.iter().fold(a, |left, op| match op {
                        Plus => left + a,
                        Minus => left - a,
                        Multiply => left * a,
                        _ => left % a,
                    })
                };
                assert_eq!(made.value(0), expected(3), "{count} of {kind}");
                assert!(made.is_null(1));
                assert_eq!(made.value(2), expected(-7), "{count} of {kind}");
            }
        }
    }
}
