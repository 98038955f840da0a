//! One AV1 frame through the Rust port of dav1d, which has the interface of the C library.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::ptr::NonNull;

use re_rav1d::include::dav1d::data::Dav1dData;
use re_rav1d::include::dav1d::dav1d::{Dav1dContext, Dav1dSettings};
use re_rav1d::include::dav1d::headers::{DAV1D_PIXEL_LAYOUT_I400, DAV1D_PIXEL_LAYOUT_I420, DAV1D_PIXEL_LAYOUT_I422};
use re_rav1d::include::dav1d::picture::Dav1dPicture;
use re_rav1d::src::lib::{
    dav1d_close, dav1d_data_create, dav1d_data_unref, dav1d_default_settings, dav1d_get_picture, dav1d_open, dav1d_picture_unref,
    dav1d_send_data,
};

use super::container::Colours;
use crate::preprocess::image::MAX_PIXELS;

/// A picture in luma and colour differences.
pub(super) struct Planes {
    pub(super) width: usize,
    pub(super) height: usize,
    /// Bits of a sample: 8, 10 or 12.
    pub(super) depth: u32,
    /// Luma, and unless the picture is gray the two colour differences.
    pub(super) samples: Vec<Vec<u16>>,
    /// Whether the differences have half of the columns, and of the rows.
    pub(super) halved: (bool, bool),
    pub(super) colours: Colours,
}

/// Nothing where the data cannot be decoded.
pub(super) fn decode(data: &[u8]) -> Option<Planes> {
    if data.is_empty() {
        return None;
    }
    let mut settings = MaybeUninit::<Dav1dSettings>::uninit();
    // SAFETY: the pointer is valid for writing, and what it points to is initialized by the call.
    let mut settings = unsafe {
        dav1d_default_settings(NonNull::from(&mut settings).cast());
        settings.assume_init()
    };
    // No threads of its own, and nothing larger than any other picture.
    settings.n_threads = 1;
    settings.max_frame_delay = 1;
    settings.all_layers = 0;
    settings.frame_size_limit = MAX_PIXELS as u32;
    let mut context: Option<Dav1dContext> = None;
    // SAFETY: both pointers are valid for the call.
    let opened = unsafe { dav1d_open(Some(NonNull::from(&mut context)), Some(NonNull::from(&mut settings))) };
    if opened.0 != 0 {
        return None;
    }
    let planes = run(&context, data);
    // SAFETY: the context was opened above and is closed once.
    unsafe { dav1d_close(Some(NonNull::from(&mut context))) };
    planes
}

fn run(context: &Option<Dav1dContext>, data: &[u8]) -> Option<Planes> {
    let mut packet = Dav1dData::default();
    // SAFETY: the pointer is valid for writing; the call allocates as many bytes as are copied.
    unsafe {
        let room = NonNull::new(dav1d_data_create(Some(NonNull::from(&mut packet)), data.len()))?;
        std::ptr::copy_nonoverlapping(data.as_ptr(), room.as_ptr(), data.len());
    }
    // SAFETY: the context is open, and the packet comes from `dav1d_data_create`; the decoder takes it over, or leaves it to be let go.
    let sent = unsafe {
        let sent = dav1d_send_data(*context, Some(NonNull::from(&mut packet)));
        dav1d_data_unref(Some(NonNull::from(&mut packet)));
        sent
    };
    if sent.0 != 0 {
        return None;
    }
    let mut picture = Dav1dPicture::default();
    // SAFETY: the context is open, and the pointer is valid for writing.
    let got = unsafe { dav1d_get_picture(*context, Some(NonNull::from(&mut picture))) };
    if got.0 != 0 {
        return None;
    }
    let planes = copy(&picture);
    // SAFETY: the picture comes from `dav1d_get_picture` and is let go once.
    unsafe { dav1d_picture_unref(Some(NonNull::from(&mut picture))) };
    planes
}

fn copy(picture: &Dav1dPicture) -> Option<Planes> {
    let (width, height) = (usize::try_from(picture.p.w).ok()?, usize::try_from(picture.p.h).ok()?);
    if width == 0 || height == 0 {
        return None;
    }
    let (gray, halved) = match picture.p.layout {
        layout if layout == DAV1D_PIXEL_LAYOUT_I400 => (true, (false, false)),
        layout if layout == DAV1D_PIXEL_LAYOUT_I420 => (false, (true, true)),
        layout if layout == DAV1D_PIXEL_LAYOUT_I422 => (false, (true, false)),
        _ => (false, (false, false)),
    };
    let half = |side: usize, halved: bool| if halved { side.div_ceil(2) } else { side };
    let small = (half(width, halved.0), half(height, halved.1));
    let sizes = [(width, height), small, small];
    let mut samples = Vec::new();
    for (plane, (columns, rows)) in sizes.into_iter().enumerate().take(if gray { 1 } else { 3 }) {
        let stride = picture.stride[plane.min(1)];
        let start = picture.data[plane]?.as_ptr().cast::<u8>();
        let mut values = Vec::with_capacity(columns * rows);
        for y in 0..rows {
            // SAFETY: a picture's planes have as many rows as its size says, `stride` bytes apart, with a sample (of two bytes
            // where there are more than 8 bits) for each column.
            unsafe {
                let row = start.offset(stride * y as isize);
                if picture.p.bpc > 8 {
                    values.extend_from_slice(std::slice::from_raw_parts(row.cast::<u16>(), columns));
                } else {
                    values.extend(std::slice::from_raw_parts(row, columns).iter().map(|v| u16::from(*v)));
                }
            }
        }
        samples.push(values);
    }
    // SAFETY: a picture's header lives as long as the picture.
    let header = unsafe { picture.seq_hdr?.as_ref() };
    let colours = Colours { primaries: header.pri, matrix: header.mtrx, full_range: header.color_range != 0 };
    Some(Planes { width, height, depth: u32::try_from(picture.p.bpc).ok()?, samples, halved, colours })
}
