//! libunwind.a: the crate `unwinding` as a C library. Its own panics, which would be errors of its own, end the process.
#![no_std]

extern crate unwinding;

unsafe extern "C" {
    fn abort() -> !;
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: it takes nothing and never returns.
    unsafe { abort() }
}
