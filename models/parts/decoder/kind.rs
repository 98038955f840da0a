//! In what the layers of one decoder differ.

/// What one layer has.
#[derive(Clone, Copy)]
pub(crate) struct LayerKind {
    /// How many tokens back a token sees, itself included; `None` for all.
    pub(crate) window: Option<usize>,
    /// Which of [`Variant::frequencies`](super::Variant::frequencies) turn queries and keys, if any.
    pub(crate) rotary: Option<usize>,
    /// What mixes tokens.
    pub(crate) mixing: Mixing,
    /// Whether the feed-forward part is the [`Variant::mixture`](super::Variant::mixture).
    pub(crate) mixture: bool,
}

/// What mixes the tokens of a layer.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Mixing {
    /// Attention, as all relatives have it.
    Attention,
    /// The [`Variant::mixer`](super::Variant::mixer).
    Own,
    /// Nothing: hidden states pass by the whole layer.
    Nothing,
}

impl LayerKind {
    /// Attention to all tokens, turned by the first frequencies, and a dense feed-forward part.
    pub(crate) const USUAL: Self = Self { window: None, rotary: Some(0), mixing: Mixing::Attention, mixture: false };
    /// The same with a mixture in place of the dense part.
    pub(crate) const MIXTURE: Self = Self { mixture: true, ..Self::USUAL };
    /// The same with another mixer.
    pub(crate) const OWN: Self = Self { mixing: Mixing::Own, ..Self::USUAL };

    /// Of models in which some layers attend and all others have another mixer.
    pub(crate) fn attending(attends: bool) -> Self {
        if attends { Self::USUAL } else { Self::OWN }
    }
}
