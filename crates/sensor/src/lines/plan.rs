//! What a line is written from: the form with its columns resolved, and in which parts it can be kept.

use hashbrown::HashMap;

use crate::lines::cell::Value;
use crate::lines::columns::{Column, Line, RULE_NAME, Scope, column};
use crate::lines::form::{Cell, Part};

/// A value that is kept.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Constant {
    Text(String),
    Integer(i64),
    Flag(bool),
    Bytes(Vec<u8>),
}

impl<'a> From<&'a Constant> for Value<'a> {
    fn from(constant: &'a Constant) -> Self {
        match constant {
            Constant::Text(text) => Value::Text(text),
            Constant::Integer(number) => Value::Integer(*number),
            Constant::Flag(flag) => Value::Flag(*flag),
            Constant::Bytes(bytes) => Value::Bytes(bytes),
        }
    }
}

/// A part of a line, resolved.
pub(super) enum Step {
    Bytes(Vec<u8>),
    Cell(Cell, Column),
    /// What depends on the process, or an end, alone, by its place among such.
    Process(usize),
    Source(usize),
    Destination(usize),
}

/// The steps of a line, and those of its parts that depend on the process, or on an end, alone.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) line: Vec<Step>,
    pub(super) processes: Vec<Vec<Step>>,
    pub(super) sources: Vec<Vec<Step>>,
    pub(super) destinations: Vec<Vec<Step>>,
}

impl Plan {
    pub(super) fn new(parts: Vec<Part>, constants: &HashMap<String, Constant>, has_rules: bool, sizes: &Sizes) -> Self {
        let mut plan = Plan::default();
        let column = |name: &str| column(name).filter(|_| has_rules || name != RULE_NAME);
        // Steps of one scope, and texts between them.
        let (mut open, mut scope) = (Vec::new(), Scope::Row);
        for part in parts {
            let (bytes, cell) = match part {
                Part::Literal(text) => (text.into_bytes(), None),
                Part::Cell(cell) => match (constants.get(&cell.column), column(&cell.column)) {
                    (Some(constant), _) => {
                        let mut bytes = Vec::new();
                        cell.write(&mut bytes, constant.into());
                        (bytes, None)
                    }
                    (None, None) => (cell.null.into_bytes(), None),
                    (None, Some(found)) => (Vec::new(), Some((cell, found))),
                },
            };
            match cell {
                None => match open.last_mut() {
                    Some(Step::Bytes(before)) => before.extend_from_slice(&bytes),
                    _ => open.push(Step::Bytes(bytes)),
                },
                Some((cell, (found, get))) => {
                    let is_text = open.iter().all(|step| matches!(step, Step::Bytes(_)));
                    if found != scope && !is_text {
                        plan.close(std::mem::take(&mut open), scope);
                    }
                    scope = found;
                    let column = Column { get, size: sizes.get(&cell.column).copied() };
                    open.push(Step::Cell(cell, column));
                }
            }
        }
        plan.close(open, scope);
        plan
    }

    pub(super) fn close(&mut self, steps: Vec<Step>, scope: Scope) {
        let (group, step): (_, fn(usize) -> Step) = match scope {
            Scope::Row => {
                self.line.extend(steps);
                return;
            }
            Scope::Process => (&mut self.processes, Step::Process),
            Scope::Source => (&mut self.sources, Step::Source),
            Scope::Destination => (&mut self.destinations, Step::Destination),
        };
        self.line.push(step(group.len()));
        group.push(steps);
    }
}

pub(super) type Texts = Vec<Box<[u8]>>;
pub(super) type Sizes = HashMap<String, usize>;

/// The texts of groups of steps.
pub(super) fn texts(groups: &[Vec<Step>], line: &Line<'_>) -> Texts {
    let text = |steps: &Vec<Step>| {
        let mut text = Vec::new();
        write_steps(&mut text, steps, line);
        text.into_boxed_slice()
    };
    groups.iter().map(text).collect()
}

pub(super) fn write_steps(out: &mut Vec<u8>, steps: &[Step], line: &Line<'_>) {
    for step in steps {
        match step {
            Step::Bytes(bytes) => out.extend_from_slice(bytes),
            Step::Cell(cell, column) => write_cell(out, cell, *column, line),
            Step::Process(_) | Step::Source(_) | Step::Destination(_) => {}
        }
    }
}

#[inline]
pub(super) fn write_cell(out: &mut Vec<u8>, cell: &Cell, column: Column, line: &Line<'_>) {
    if column.size.is_none() {
        cell.write(out, (column.get)(line));
    } else {
        cell.write(out, column.value(line, &mut String::new()));
    }
}
