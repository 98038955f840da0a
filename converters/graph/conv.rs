//! Convolution and pooling, in any number of dimensions.

use super::{Attributes, Dim, Shape, Tensor};
use crate::Error;

/// How a convolution moves over its input; one number per spatial axis.
#[derive(Debug, Clone)]
pub struct Conv {
    /// Steps between windows.
    pub stride: Vec<usize>,
    /// Zeros before and after each axis.
    pub padding: Vec<(usize, usize)>,
    /// Steps between the elements of a window.
    pub dilation: Vec<usize>,
    /// Groups of channels that do not see each other.
    pub groups: usize,
}

impl Conv {
    /// A convolution over `axes` spatial axes with stride 1 and no padding.
    pub fn new(axes: usize) -> Self {
        Self { stride: vec![1; axes], padding: vec![(0, 0); axes], dilation: vec![1; axes], groups: 1 }
    }

    /// The same stride along all axes.
    #[must_use]
    pub fn stride(mut self, stride: usize) -> Self {
        self.stride.fill(stride);
        self
    }

    /// The same padding before and after all axes.
    #[must_use]
    pub fn padding(mut self, padding: usize) -> Self {
        self.padding.fill((padding, padding));
        self
    }

    /// The same dilation along all axes.
    #[must_use]
    pub fn dilation(mut self, dilation: usize) -> Self {
        self.dilation.fill(dilation);
        self
    }

    /// Groups of channels.
    #[must_use]
    pub fn groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }

    fn attributes(&self, kernel: &[usize]) -> Attributes {
        let ints = |v: &[usize]| v.iter().map(|&n| n as i64).collect::<Vec<_>>();
        let pads: Vec<i64> = self.padding.iter().map(|p| p.0 as i64).chain(self.padding.iter().map(|p| p.1 as i64)).collect();
        Attributes::new().with("kernel_shape", ints(kernel)).with("strides", ints(&self.stride)).with("pads", pads)
    }

    fn output(&self, input: &[Dim], kernel: &[usize]) -> Vec<Dim> {
        let size = |(i, dim): (usize, &Dim)| {
            let span = self.dilation[i].checked_mul(kernel[i].checked_sub(1)?)?.checked_add(1)?;
            let padded = dim.fixed()?.checked_add(self.padding[i].0)?.checked_add(self.padding[i].1)?;
            Some(padded.checked_sub(span)? / self.stride[i].max(1) + 1)
        };
        input.iter().enumerate().map(|at| size(at).map_or(Dim::Unknown, Dim::Fixed)).collect()
    }
}

/// What a pooling window keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// The mean.
    Average,
    /// The largest.
    Max,
}

impl Tensor {
    /// A convolution: `x` is `(batch, channels, …)`, `weight` `(out, channels / groups, …)`.
    pub fn conv(&self, weight: &Tensor, bias: Option<&Tensor>, conv: &Conv) -> Tensor {
        let (input, kernel) = (self.shape(), weight.shape());
        let axes = conv.stride.len();
        let window: Option<Vec<usize>> = kernel.iter().skip(2).map(Dim::fixed).collect();
        let (Some(window), true) = (window, input.len() == axes + 2 && kernel.len() == axes + 2) else {
            self.graph.fail(Error::tensor(format!("Conv: shapes {} and {} do not fit", Shape(&input), Shape(&kernel))));
            return self.clone();
        };
        let channels = |shape: &[Dim], i: usize| shape[i].fixed();
        if let (Some(have), Some(want)) = (channels(&input, 1), channels(&kernel, 1))
            && want.checked_mul(conv.groups) != Some(have)
        {
            self.graph.fail(Error::unsupported(format!("Conv: {} has not {want} × {} channels", Shape(&input), conv.groups)));
        }
        let mut shape = vec![input[0].clone(), kernel[0].clone()];
        shape.extend(conv.output(&input[2..], &window));
        let dilations: Vec<i64> = conv.dilation.iter().map(|&n| n as i64).collect();
        let attributes = conv.attributes(&window).with("dilations", dilations).with("group", conv.groups);
        let outputs = self.graph.op("Conv", "", &[Some(self), Some(weight), bias], attributes, &[(self.dtype(), shape)]);
        outputs.into_iter().next().unwrap_or_else(|| self.clone())
    }

    /// Pooling over windows: `x` is `(batch, channels, …)`. Padding does not count towards an average.
    pub fn pool(&self, kind: Pooling, window: &[usize], conv: &Conv) -> Tensor {
        let input = self.shape();
        if input.len() != window.len() + 2 || conv.stride.len() != window.len() {
            self.graph.fail(Error::unsupported(format!("Pool: {} does not fit a window of {window:?}", Shape(&input))));
            return self.clone();
        }
        let mut shape = input[..2].to_vec();
        shape.extend(conv.output(&input[2..], window));
        let op = if kind == Pooling::Max { "MaxPool" } else { "AveragePool" };
        self.one(op, "", &[self], conv.attributes(window), self.dtype(), shape)
    }
}
