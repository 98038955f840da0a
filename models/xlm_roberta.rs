//! XLM-RoBERTa (<https://arxiv.org/abs/1911.02116>): RoBERTa, trained on a hundred languages.

use crate::{architecture::Architecture, roberta};

pub(crate) const ARCHITECTURE: Architecture = roberta::ARCHITECTURE.named("xlm-roberta");
