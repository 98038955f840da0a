//! Matrix products.

use super::{Attributes, Dim, Shape, Tensor, elementwise::broadcast};
use crate::Error;

impl Tensor {
    /// The matrix product, `(…, m, k) · (…, k, n) → (…, m, n)`.
    pub fn matmul(&self, other: &Tensor) -> Tensor {
        let shape = self.product_shape(other, false);
        self.one("MatMul", "", &[self, other], Attributes::new(), self.dtype(), shape)
    }

    /// The product with the second matrix transposed, scaled: `alpha · (…, m, k) · (…, n, k)ᵀ → (…, m, n)`.
    ///
    /// Weights of a linear layer lie as `[out, in]`, and so are used as they lie.
    pub fn matmul_transposed(&self, other: &Tensor, alpha: f32) -> Tensor {
        let shape = self.product_shape(other, true);
        let attributes = Attributes::new().with("transB", 1i64).with("alpha", alpha);
        self.one("FusedMatMul", "com.microsoft", &[self, other], attributes, self.dtype(), shape)
    }

    fn product_shape(&self, other: &Tensor, transposed: bool) -> Vec<Dim> {
        let (a, b) = (self.shape(), other.shape());
        let (Some((k, rows)), Some((last, before))) = (a.split_last(), b.split_last()) else {
            self.graph.fail(Error::tensor(format!("MatMul: shapes {} and {} need two dimensions", Shape(&a), Shape(&b))));
            return a;
        };
        let (Some((m, outer)), Some((second, outer_b))) = (rows.split_last(), before.split_last()) else {
            self.graph.fail(Error::tensor(format!("MatMul: shapes {} and {} need two dimensions", Shape(&a), Shape(&b))));
            return a;
        };
        let (inner, n) = if transposed { (last, second) } else { (second, last) };
        if let (Some(x), Some(y)) = (k.fixed(), inner.fixed())
            && x != y
        {
            let mark = if transposed { "ᵀ" } else { "" };
            self.graph.fail(Error::tensor(format!("MatMul: shapes {} and {}{mark} do not fit", Shape(&a), Shape(&b))));
        }
        let mut shape = broadcast(&self.graph, "MatMul", outer, outer_b);
        shape.extend([m.clone(), n.clone()]);
        shape
    }
}
