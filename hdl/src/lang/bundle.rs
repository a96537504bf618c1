//! Values that belong together.

use crate::dfg::Value;

/// Several values under one name: a value, a tuple, a list, or a struct made by [`bundle!`](crate::bundle).
pub trait Bundle<'m>: Clone {
    /// The same bundle of what `f` makes of each value, given its name: `name`, and below it `name_field`.
    fn each(&self, name: &str, f: &mut dyn FnMut(&str, Value<'m>) -> Value<'m>) -> Self;
}

impl<'m> Bundle<'m> for Value<'m> {
    fn each(&self, name: &str, f: &mut dyn FnMut(&str, Value<'m>) -> Value<'m>) -> Self {
        f(name, *self)
    }
}

impl<'m, A: Bundle<'m>, B: Bundle<'m>> Bundle<'m> for (A, B) {
    fn each(&self, name: &str, f: &mut dyn FnMut(&str, Value<'m>) -> Value<'m>) -> Self {
        (self.0.each(&format!("{name}_0"), f), self.1.each(&format!("{name}_1"), f))
    }
}

impl<'m, B: Bundle<'m>> Bundle<'m> for Vec<B> {
    fn each(&self, name: &str, f: &mut dyn FnMut(&str, Value<'m>) -> Value<'m>) -> Self {
        self.iter().enumerate().map(|(k, part)| part.each(&format!("{name}_{k}"), f)).collect()
    }
}

/// Declares a struct of values, or of other bundles, that streams carry and registers hold as one.
///
/// ```
/// use hdl::lang::Bundle;
/// use hdl::{ModuleBuilder, Value, s};
///
/// hdl::bundle! {
///     /// A complex number.
///     pub struct Complex { re: Value<'m>, im: Value<'m> }
/// }
///
/// let m = ModuleBuilder::new("conjugate");
/// let x = Complex { re: m.input("x_re", s(8, 4)), im: m.input("x_im", s(8, 4)) };
/// let y = Complex { re: x.re, im: -x.im };
/// m.output_bundle("y", &y);
/// let module = m.finish().unwrap();
/// let names: Vec<&str> = module.outputs.iter().map(|port| port.name.as_str()).collect();
/// assert_eq!(names, ["y_re", "y_im"]);
/// ```
#[macro_export]
macro_rules! bundle {
    ($(#[$about:meta])* $visible:vis struct $name:ident { $($(#[$field_about:meta])* $field:ident: $type:ty),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Debug, Clone)]
        #[allow(missing_docs)] // a field says by its name what it is
        $visible struct $name<'m> { $($(#[$field_about])* pub $field: $type),+ }

        impl<'m> $crate::lang::Bundle<'m> for $name<'m> {
            fn each(
                &self,
                name: &str,
                f: &mut dyn FnMut(&str, $crate::Value<'m>) -> $crate::Value<'m>,
            ) -> Self {
                Self { $($field: self.$field.each(&format!("{name}_{}", stringify!($field)), f)),+ }
            }
        }
    };
}

impl crate::ModuleBuilder {
    /// An output for each value of `bundle`.
    #[track_caller]
    pub fn output_bundle<'m>(&'m self, name: &str, bundle: &impl Bundle<'m>) {
        let place_ports = &mut |name: &str, value: Value<'m>| {
            self.output(name, value);
            value
        };
        bundle.each(name, place_ports);
    }

    /// A register without reset for each value of `bundle`, which loads it while `enable` is 1; what they hold.
    #[track_caller]
    pub fn held<'m, B: Bundle<'m>>(&'m self, name: &str, enable: Value<'m>, bundle: &B) -> B {
        bundle.each(name, &mut |name, value| {
            let register = self.reg(name, value.format()).reset_by(crate::Reset::None);
            register.set_next_when(enable, value);
            register.value()
        })
    }
}
