//! What the unwinder asks of the C library, in the place of the crate of this name, which declares everything.
#![no_std]
#![allow(non_camel_case_types)]

pub use core::ffi::c_int;
use core::ffi::c_void;

pub const PT_LOAD: u32 = 1;
pub const PT_DYNAMIC: u32 = 2;
pub const PT_GNU_EH_FRAME: u32 = 0x6474_e550;

/// A program header of ELF.
#[repr(C)]
pub struct Elf64_Phdr {
    pub p_type: u32,
    pub p_flags: u32,
    pub p_offset: u64,
    pub p_vaddr: u64,
    pub p_paddr: u64,
    pub p_filesz: u64,
    pub p_memsz: u64,
    pub p_align: u64,
}

/// The first fields of a loaded object, all that is read of it.
#[repr(C)]
pub struct dl_phdr_info {
    pub dlpi_addr: u64,
    pub dlpi_name: *const core::ffi::c_char,
    pub dlpi_phdr: *const Elf64_Phdr,
    pub dlpi_phnum: u16,
}

type Callback = unsafe extern "C" fn(*mut dl_phdr_info, usize, *mut c_void) -> c_int;

unsafe extern "C" {
    pub fn dl_iterate_phdr(callback: Option<Callback>, data: *mut c_void) -> c_int;
    pub fn abort() -> !;
}
