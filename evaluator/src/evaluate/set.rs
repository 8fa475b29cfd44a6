//! Attribute set expressions.

use super::Evaluator;
use crate::attributes::{Attribute, Attributes};
use crate::error::{Error, ErrorKind, Outcome};
use crate::expression::AttributeSet;
use crate::frame::Frame;
use crate::source::Span;
use crate::symbol::known;
use crate::value::Value;

impl<'a> Evaluator<'a> {
    #[inline(never)]
    pub(super) fn attribute_set(&self, set: &'a AttributeSet<'a>, frame: Frame<'a>) -> Outcome<'a> {
        for origin in set.origins {
            frame.slots()[origin.slot as usize].set(self.delay(origin.value, frame));
        }
        let attributes = self.arena.fill(set.attributes.len(), |n| {
            let attribute = &set.attributes[n];
            // What `__overrides` replaces must not be read before.
            let value = if set.has_overrides {
                self.suspend(attribute.value, frame)
            } else {
                self.delay(attribute.value, frame)
            };
            if let Some(slot) = attribute.slot {
                frame.slots()[slot as usize].set(value);
            }
            Attribute { name: attribute.name, position: attribute.position, value }
        });
        let mut attributes = Attributes::from_sorted(self.arena, attributes);
        if set.has_overrides {
            attributes = self.override_all(set, attributes, frame)?;
        }
        if !set.dynamic.is_empty() {
            attributes = self.add_dynamic(set, attributes, frame)?;
        }
        Ok(Value::Attributes(attributes))
    }

    /// `__overrides` of a `rec` set replaces attributes, and what the others see of them.
    fn override_all(
        &self,
        set: &'a AttributeSet<'a>,
        attributes: &'a Attributes<'a>,
        frame: Frame<'a>,
    ) -> Outcome<'a, &'a Attributes<'a>> {
        let Some(overrides) = attributes.get(known::OVERRIDES) else { return Ok(attributes) };
        let overrides = match self.force(overrides.value)? {
            Value::Attributes(overrides) => overrides,
            other => return Err(self.expected("a set as `__overrides`", other)),
        };
        for attribute in set.attributes {
            if let (Some(slot), Some(found)) = (attribute.slot, overrides.get(attribute.name)) {
                frame.slots()[slot as usize].set(found.value);
            }
        }
        Ok(attributes.update(overrides, self.arena))
    }

    fn add_dynamic(
        &self,
        set: &'a AttributeSet<'a>,
        attributes: &'a Attributes<'a>,
        frame: Frame<'a>,
    ) -> Outcome<'a, &'a Attributes<'a>> {
        let mut all = attributes.all(self.arena).to_vec();
        let fixed = all.len();
        for dynamic in set.dynamic {
            let span = dynamic.name.span;
            let name = match self.evaluate(dynamic.name, frame)? {
                Value::Null => continue,
                other => self.attribute_name(other, span)?,
            };
            let earlier =
                attributes.get(name).or_else(|| all[fixed..].iter().find(|each| each.name == name).copied());
            if let Some(earlier) = earlier {
                let text = self.symbols.text(name);
                let earlier = Span { start: earlier.position, end: earlier.position };
                let error =
                    Error::new(ErrorKind::Value, format!("dynamic attribute `{text}` is already defined"));
                return Err(error.at(span).with_note("it is defined first here", earlier));
            }
            let value = self.delay(dynamic.value, frame);
            all.push(Attribute { name, position: dynamic.position, value });
        }
        Ok(Attributes::from_unsorted(self.arena, all))
    }
}
