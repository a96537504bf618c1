//! Hardening: which registers stand three times.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::dfg::{Instance, Module, Voted};

/// `top` and all below it, each module's registers as `voted` says of it. Values and cycles stay the same.
pub fn harden(top: &Arc<Module>, voted: impl Fn(&Module) -> Voted) -> Arc<Module> {
    let mut done: FxHashMap<*const Module, Arc<Module>> = FxHashMap::default();
    for module in top.hierarchy() {
        let known = |instance: &Instance| done[&Arc::as_ptr(&instance.module)].clone();
        let inside = |m: &Module| -> Vec<Instance> {
            m.instances.iter().map(|i| Instance { module: known(i), ..i.clone() }).collect()
        };
        let twin = module.twin.as_ref().map(|twin| harden(twin, &voted as &dyn Fn(&Module) -> Voted));
        let hardened = match module.black_box {
            Some(_) => module.clone(),
            None => {
                Arc::new(Module { instances: inside(&module), voted: voted(&module), twin, ..Module::clone(&module) })
            }
        };
        done.insert(Arc::as_ptr(&module), hardened);
    }
    done[&Arc::as_ptr(top)].clone()
}
