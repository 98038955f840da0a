//! CamemBERT (<https://arxiv.org/abs/1911.03894>): RoBERTa, trained on French.

use crate::{architecture::Architecture, roberta};

pub(crate) const ARCHITECTURE: Architecture = roberta::ARCHITECTURE.named("camembert");
