//! A JSON document as a tree, for records whose shape is not known.

use crate::shapes::text::Scalar;

/// A value, with its place in the text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node<'a> {
    /// Where it begins.
    pub(crate) start: usize,
    /// Where it ends.
    pub(crate) end: usize,
    /// What it is.
    pub(crate) value: Tree<'a>,
}

/// A value of JSON.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tree<'a> {
    /// Neither an object nor a list.
    Leaf(Scalar<'a>),
    /// An object's keys, unescaped, and their values, in order.
    Object(&'a [(&'a str, Node<'a>)]),
    /// A list.
    List(&'a [Node<'a>]),
}

impl<'a> Node<'a> {
    /// The members, if it is an object.
    pub(crate) fn members(&self) -> Option<&'a [(&'a str, Node<'a>)]> {
        match self.value {
            Tree::Object(members) => Some(members),
            _ => None,
        }
    }

    /// The elements, if it is a list.
    pub(crate) fn elements(&self) -> Option<&'a [Node<'a>]> {
        match self.value {
            Tree::List(elements) => Some(elements),
            _ => None,
        }
    }

    /// The scalar, if it is one.
    pub(crate) fn scalar(&self) -> Option<Scalar<'a>> {
        match self.value {
            Tree::Leaf(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// The member called `key`, if it is an object that has it.
    pub(crate) fn member(&self, key: &str) -> Option<Node<'a>> {
        self.members()?.iter().find(|(name, _)| *name == key).map(|(_, node)| *node)
    }
}
