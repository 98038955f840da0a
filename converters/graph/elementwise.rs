//! Operators that work element by element: arithmetic, comparison, activation.

use std::ops;

use super::{Attributes, Dim, Graph, Shape, Tensor};
use crate::{Dtype, Error};

/// The shape that two shapes broadcast to, by the rules of NumPy and ONNX.
pub(super) fn broadcast(graph: &Graph, op: &str, a: &[Dim], b: &[Dim]) -> Vec<Dim> {
    let rank = a.len().max(b.len());
    let padded = |shape: &[Dim], i: usize| (i + shape.len()).checked_sub(rank).map_or(Dim::Fixed(1), |i| shape[i].clone());
    (0..rank)
        .map(|i| match (padded(a, i), padded(b, i)) {
            (Dim::Fixed(1), other) | (other, Dim::Fixed(1)) => other,
            (Dim::Fixed(x), Dim::Fixed(y)) if x != y => {
                graph.fail(Error::tensor(format!("{op}: shapes {} and {} do not fit", Shape(a), Shape(b))));
                Dim::Fixed(x)
            }
            (Dim::Fixed(x), _) | (_, Dim::Fixed(x)) => Dim::Fixed(x),
            (Dim::Named(x), _) => Dim::Named(x),
            (_, other) => other,
        })
        .collect()
}

impl Tensor {
    fn binary(&self, op: &str, other: &Tensor) -> Tensor {
        if self.dtype() != other.dtype() {
            self.graph.fail(Error::unsupported(format!("{op}: element types {:?} and {:?} differ", self.dtype(), other.dtype())));
        }
        let shape = broadcast(&self.graph, op, &self.shape(), &other.shape());
        self.one(op, "", &[self, other], Attributes::new(), self.dtype(), shape)
    }

    fn comparison(&self, op: &str, other: &Tensor) -> Tensor {
        let shape = broadcast(&self.graph, op, &self.shape(), &other.shape());
        self.one(op, "", &[self, other], Attributes::new(), Dtype::Bool, shape)
    }

    /// A scalar constant of this tensor's type.
    pub fn scalar(&self, value: f32) -> Tensor {
        self.graph.floats_of(self.dtype(), &[], &[value])
    }

    /// The larger of the two.
    pub fn max(&self, other: &Tensor) -> Tensor {
        self.binary("Max", other)
    }

    /// The smaller of the two.
    pub fn min(&self, other: &Tensor) -> Tensor {
        self.binary("Min", other)
    }

    /// Limited to `[low, high]`.
    pub fn clip(&self, low: f32, high: f32) -> Tensor {
        self.one("Clip", "", &[self, &self.scalar(low), &self.scalar(high)], Attributes::new(), self.dtype(), self.shape())
    }

    /// To the power of a scalar.
    pub fn pow(&self, exponent: f32) -> Tensor {
        self.binary("Pow", &self.scalar(exponent))
    }

    /// The remainder of a division, with the sign of the divisor (as `torch.remainder`).
    pub fn modulo(&self, divisor: &Tensor) -> Tensor {
        self.binary("Mod", divisor)
    }

    /// Whether equal.
    pub fn equal(&self, other: &Tensor) -> Tensor {
        self.comparison("Equal", other)
    }

    /// Whether less.
    pub fn less(&self, other: &Tensor) -> Tensor {
        self.comparison("Less", other)
    }

    /// Whether less or equal.
    pub fn less_or_equal(&self, other: &Tensor) -> Tensor {
        self.comparison("LessOrEqual", other)
    }

    /// Whether greater.
    pub fn greater(&self, other: &Tensor) -> Tensor {
        self.comparison("Greater", other)
    }

    /// Whether greater or equal.
    pub fn greater_or_equal(&self, other: &Tensor) -> Tensor {
        self.comparison("GreaterOrEqual", other)
    }

    /// Both true.
    pub fn and(&self, other: &Tensor) -> Tensor {
        self.comparison("And", other)
    }

    /// Either true.
    pub fn or(&self, other: &Tensor) -> Tensor {
        self.comparison("Or", other)
    }

    /// Not true.
    pub fn not(&self) -> Tensor {
        self.unary("Not", Attributes::new())
    }

    /// `yes` where this is true, else `no`.
    pub fn select(&self, yes: &Tensor, no: &Tensor) -> Tensor {
        let shape = broadcast(&self.graph, "Where", &broadcast(&self.graph, "Where", &yes.shape(), &no.shape()), &self.shape());
        self.one("Where", "", &[self, yes, no], Attributes::new(), yes.dtype(), shape)
    }

    /// Converted to another element type; the same handle where it has that type already.
    pub fn cast(&self, dtype: Dtype) -> Tensor {
        if self.dtype() == dtype {
            return self.clone();
        }
        self.one("Cast", "", &[self], Attributes::new().with("to", i64::from(dtype.onnx())), dtype, self.shape())
    }

    /// `x Φ(x)`, the exact Gaussian error linear unit.
    pub fn gelu(&self) -> Tensor {
        self.unary("Gelu", Attributes::new().with("approximate", "none"))
    }

    /// `0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³)))`
    pub fn gelu_tanh(&self) -> Tensor {
        self.unary("Gelu", Attributes::new().with("approximate", "tanh"))
    }

    /// `x σ(1.702 x)`
    pub fn quick_gelu(&self) -> Tensor {
        self * (self * 1.702).sigmoid()
    }

    /// `x σ(x)`
    pub fn silu(&self) -> Tensor {
        self * self.sigmoid()
    }

    /// `x tanh(ln(1 + eˣ))`
    pub fn mish(&self) -> Tensor {
        self.unary("Mish", Attributes::new())
    }

    /// `x` above zero, `slope x` below.
    pub fn leaky_relu(&self, slope: f32) -> Tensor {
        self.unary("LeakyRelu", Attributes::new().with("alpha", slope))
    }

    /// `x` above zero, `alpha (eˣ - 1)` below.
    pub fn elu(&self, alpha: f32) -> Tensor {
        self.unary("Elu", Attributes::new().with("alpha", alpha))
    }
}

macro_rules! unary {
    ($($(#[$doc:meta])* $name:ident => $op:literal),* $(,)?) => {
        impl Tensor {
            $($(#[$doc])* pub fn $name(&self) -> Tensor { self.unary($op, Attributes::new()) })*
        }
    };
}

unary! {
    /// `|x|`
    abs => "Abs",
    /// The smallest integer not below.
    ceil => "Ceil",
    /// `cos x`
    cos => "Cos",
    /// The error function.
    erf => "Erf",
    /// `eˣ`
    exp => "Exp",
    /// The largest integer not above.
    floor => "Floor",
    /// `ln x`
    log => "Log",
    /// `max(x, 0)`
    relu => "Relu",
    /// The nearest integer, halves to even.
    round => "Round",
    /// `1 / (1 + e⁻ˣ)`
    sigmoid => "Sigmoid",
    /// -1, 0 or 1.
    sign => "Sign",
    /// `sin x`
    sin => "Sin",
    /// `ln(1 + eˣ)`
    softplus => "Softplus",
    /// `√x`
    sqrt => "Sqrt",
    /// `tanh x`
    tanh => "Tanh",
}

macro_rules! arithmetic {
    ($($trait:ident $method:ident $op:literal),*) => {$(
        impl ops::$trait<&Tensor> for &Tensor {
            type Output = Tensor;
            fn $method(self, other: &Tensor) -> Tensor { self.binary($op, other) }
        }
        impl ops::$trait<Tensor> for &Tensor {
            type Output = Tensor;
            fn $method(self, other: Tensor) -> Tensor { self.binary($op, &other) }
        }
        impl ops::$trait<&Tensor> for Tensor {
            type Output = Tensor;
            fn $method(self, other: &Tensor) -> Tensor { self.binary($op, other) }
        }
        impl ops::$trait<Tensor> for Tensor {
            type Output = Tensor;
            fn $method(self, other: Tensor) -> Tensor { self.binary($op, &other) }
        }
        impl ops::$trait<f32> for &Tensor {
            type Output = Tensor;
            fn $method(self, other: f32) -> Tensor { self.binary($op, &self.scalar(other)) }
        }
        impl ops::$trait<f32> for Tensor {
            type Output = Tensor;
            fn $method(self, other: f32) -> Tensor { self.binary($op, &self.scalar(other)) }
        }
        impl ops::$trait<&Tensor> for f32 {
            type Output = Tensor;
            fn $method(self, other: &Tensor) -> Tensor { other.scalar(self).binary($op, other) }
        }
        impl ops::$trait<Tensor> for f32 {
            type Output = Tensor;
            fn $method(self, other: Tensor) -> Tensor { other.scalar(self).binary($op, &other) }
        }
    )*};
}

arithmetic!(Add add "Add", Sub sub "Sub", Mul mul "Mul", Div div "Div");

impl ops::Neg for &Tensor {
    type Output = Tensor;
    fn neg(self) -> Tensor {
        self.unary("Neg", Attributes::new())
    }
}

impl ops::Neg for Tensor {
    type Output = Tensor;
    fn neg(self) -> Tensor {
        -&self
    }
}
