//! The references that keep the buffers of [`BodyBuffers`] alive. The JavaScript thread runs the code here.

use std::cell::RefCell;
use std::ptr::{self, NonNull};

use napi::bindgen_prelude::*;
use napi::{JsValue, check_status, sys};

use crate::shared::body_buffers::{BodyBuffers, Memory};
use crate::shared::exchange::READ_SIZE;

/// Places, at most, whatever JavaScript says.
const MOST: usize = 64;

/// Strong references to the buffers that are laid out, by their places. Belongs to the JavaScript thread.
///
/// The drop of this deletes no reference, because the I/O thread might still read. By then JavaScript has taken
/// the buffers back, with its last connection, or the environment ends and deletes its references itself.
#[derive(Default)]
pub struct BodyMemory(RefCell<Vec<sys::napi_ref>>);

impl BodyMemory {
    /// Lays a buffer out in a place, and lets go of the one that was there.
    ///
    /// # Errors
    /// The value is no buffer of the size of a piece, or the place is in use.
    pub fn lay(
        &self,
        env: &Env,
        buffers: &BodyBuffers,
        index: u32,
        buffer: &Unknown,
    ) -> Result<()> {
        let index = index as usize;
        let mut start = ptr::null_mut();
        let mut length = 0;
        // SAFETY: `env` and `buffer` are live handles of the running call.
        check_status!(unsafe {
            sys::napi_get_buffer_info(env.raw(), buffer.raw(), &mut start, &mut length)
        })?;
        let start = NonNull::new(start.cast()).filter(|_| length == READ_SIZE && index < MOST);
        let Some(start) = start else {
            return Err(Error::from_status(Status::InvalidArg));
        };
        let mut reference = ptr::null_mut();
        // SAFETY: as above. The reference is strong.
        check_status!(unsafe {
            sys::napi_create_reference(env.raw(), buffer.raw(), 1, &mut reference)
        })?;
        // SAFETY: the reference keeps the memory where it is, for longer than its place has it.
        // `lib/bridge/body-buffers.js`, the one caller, keeps the buffer from all other code until it is
        // filled, so no code can use, detach, transfer or resize it.
        let laid = buffers.lay(index, unsafe { Memory::new(start) });
        let mut references = self.0.borrow_mut();
        if index >= references.len() {
            references.resize(index + 1, ptr::null_mut());
        }
        let old = match references.get_mut(index) {
            Some(place) if laid => std::mem::replace(place, reference),
            _ => reference,
        };
        delete(env, old);
        if laid {
            Ok(())
        } else {
            Err(Error::from_reason("the place is in use"))
        }
    }

    /// Lets go of all buffers, which JavaScript has taken back.
    pub fn let_go(&self, env: &Env) {
        for reference in self.0.take() {
            delete(env, reference);
        }
    }
}

/// Deletes a reference, if it is one.
fn delete(env: &Env, reference: sys::napi_ref) {
    if !reference.is_null() {
        // SAFETY: the reference was made in this environment, and is deleted once: its place has been
        // overwritten.
        unsafe { sys::napi_delete_reference(env.raw(), reference) };
    }
}
