//! What each Transformers architecture is: one file per `model_type`, which reads top to bottom like the paper.
//!
//! This crate knows no network and no ONNX Runtime: it turns a `config.json` and a checkpoint's tensors into graphs.

mod architecture;
mod auto;
mod head;
mod parts;
mod request;
pub mod sentence;
mod sizes;

mod albert;
mod apertus;
mod arcee;
mod bamba;
mod bart;
mod bert;
mod biogpt;
mod blenderbot;
mod blenderbot_small;
mod bloom;
mod camembert;
mod clip_vision_model;
mod codegen;
mod cohere;
mod cohere2;
mod convbert;
mod ctrl;
mod cwm;
mod data2vec_text;
mod deberta;
mod deberta_v2;
mod deepseek_v2;
mod deepseek_v3;
mod distilbert;
mod dots1;
mod electra;
mod encoder_decoder;
mod ernie;
mod ernie4_5;
mod ernie4_5_moe;
mod esm;
mod eurobert;
mod exaone4;
mod exaone_moe;
mod falcon;
mod falcon_h1;
mod falcon_mamba;
mod flex_olmo;
mod gemma;
mod gemma2;
mod gemma3;
mod gemma3_text;
mod gemma4;
mod gemma4_text;
mod glm;
mod glm4;
mod glm4_moe;
mod glm4_moe_lite;
mod gpt2;
mod gpt_bigcode;
mod gpt_neo;
mod gpt_neox;
mod gpt_oss;
mod gptj;
mod granite;
mod granitemoe;
mod granitemoehybrid;
mod granitemoeshared;
mod helium;
mod hunyuan_v1_dense;
mod hunyuan_v1_moe;
mod hyperclovax;
mod internlm3;
mod iquestcoder;
mod jais2;
mod jamba;
mod led;
mod lfm2;
mod lfm2_moe;
mod llama;
mod llama4;
mod llama4_text;
mod llava;
mod longt5;
mod m2m_100;
mod mamba;
mod mamba2;
mod marian;
mod mbart;
mod megatron_bert;
mod mellum;
mod minicpm3;
mod minimax_m2;
mod ministral;
mod ministral3;
mod mistral;
mod mixtral;
mod mllama;
mod mllama_text_model;
mod mobilebert;
mod modernbert;
mod modernbert_decoder;
mod mpnet;
mod mpt;
mod mt5;
mod mvp;
mod nanochat;
mod nemotron;
mod nemotron_h;
mod nllb_moe;
mod nomic_bert;
mod olmo;
mod olmo2;
mod olmo3;
mod olmoe;
mod openai_gpt;
mod opt;
mod pegasus;
mod persimmon;
mod phi;
mod phi3;
mod phimoe;
mod plbart;
mod prophetnet;
mod qwen2;
mod qwen2_moe;
mod qwen3;
mod qwen3_5;
mod qwen3_5_moe;
mod qwen3_5_moe_text;
mod qwen3_5_text;
mod qwen3_moe;
mod qwen3_next;
mod roberta;
mod roberta_prelayernorm;
mod roformer;
mod seed_oss;
mod smollm3;
mod solar_open;
mod squeezebert;
mod stablelm;
mod starcoder2;
mod t5;
mod umt5;
mod vaultgemma;
mod vit;
mod wav2vec2;
mod xglm;
mod xlm_roberta;
mod xlm_roberta_xl;
mod xlnet;
mod youtu;
mod zamba2;

pub use architecture::{Architecture, Moved};
pub use auto::{feature_extractor, image_processor, names_wrong_tokenizer, tokenizer_class};
pub use head::Head;
pub use request::Request;

/// Every architecture, by `model_type` in alphabetical order.
pub const ARCHITECTURES: &[Architecture] = &[
    albert::ARCHITECTURE,
    apertus::ARCHITECTURE,
    arcee::ARCHITECTURE,
    bamba::ARCHITECTURE,
    bart::ARCHITECTURE,
    bert::ARCHITECTURE,
    biogpt::ARCHITECTURE,
    blenderbot::ARCHITECTURE,
    blenderbot_small::ARCHITECTURE,
    bloom::ARCHITECTURE,
    camembert::ARCHITECTURE,
    clip_vision_model::ARCHITECTURE,
    codegen::ARCHITECTURE,
    cohere::ARCHITECTURE,
    cohere2::ARCHITECTURE,
    convbert::ARCHITECTURE,
    ctrl::ARCHITECTURE,
    cwm::ARCHITECTURE,
    data2vec_text::ARCHITECTURE,
    deberta::ARCHITECTURE,
    deberta_v2::ARCHITECTURE,
    deepseek_v2::ARCHITECTURE,
    deepseek_v3::ARCHITECTURE,
    distilbert::ARCHITECTURE,
    dots1::ARCHITECTURE,
    electra::ARCHITECTURE,
    encoder_decoder::ARCHITECTURE,
    ernie::ARCHITECTURE,
    ernie4_5::ARCHITECTURE,
    ernie4_5_moe::ARCHITECTURE,
    esm::ARCHITECTURE,
    eurobert::ARCHITECTURE,
    exaone4::ARCHITECTURE,
    exaone_moe::ARCHITECTURE,
    falcon::ARCHITECTURE,
    falcon_h1::ARCHITECTURE,
    falcon_mamba::ARCHITECTURE,
    flex_olmo::ARCHITECTURE,
    gemma::ARCHITECTURE,
    gemma2::ARCHITECTURE,
    gemma3::ARCHITECTURE,
    gemma3_text::ARCHITECTURE,
    gemma4::ARCHITECTURE,
    gemma4_text::ARCHITECTURE,
    glm::ARCHITECTURE,
    glm4::ARCHITECTURE,
    glm4_moe::ARCHITECTURE,
    glm4_moe_lite::ARCHITECTURE,
    gpt2::ARCHITECTURE,
    gpt_bigcode::ARCHITECTURE,
    gpt_neo::ARCHITECTURE,
    gpt_neox::ARCHITECTURE,
    gpt_oss::ARCHITECTURE,
    gptj::ARCHITECTURE,
    granite::ARCHITECTURE,
    granitemoe::ARCHITECTURE,
    granitemoehybrid::ARCHITECTURE,
    granitemoeshared::ARCHITECTURE,
    helium::ARCHITECTURE,
    hunyuan_v1_dense::ARCHITECTURE,
    hunyuan_v1_moe::ARCHITECTURE,
    hyperclovax::ARCHITECTURE,
    internlm3::ARCHITECTURE,
    iquestcoder::ARCHITECTURE,
    jais2::ARCHITECTURE,
    jamba::ARCHITECTURE,
    led::ARCHITECTURE,
    lfm2::ARCHITECTURE,
    lfm2_moe::ARCHITECTURE,
    llama::ARCHITECTURE,
    llama4::ARCHITECTURE,
    llama4_text::ARCHITECTURE,
    llava::ARCHITECTURE,
    longt5::ARCHITECTURE,
    m2m_100::ARCHITECTURE,
    mamba::ARCHITECTURE,
    mamba2::ARCHITECTURE,
    marian::ARCHITECTURE,
    mbart::ARCHITECTURE,
    megatron_bert::ARCHITECTURE,
    mellum::ARCHITECTURE,
    minicpm3::ARCHITECTURE,
    minimax_m2::ARCHITECTURE,
    ministral::ARCHITECTURE,
    ministral3::ARCHITECTURE,
    mistral::ARCHITECTURE,
    mixtral::ARCHITECTURE,
    mllama::ARCHITECTURE,
    mllama_text_model::ARCHITECTURE,
    mobilebert::ARCHITECTURE,
    modernbert::ARCHITECTURE,
    modernbert_decoder::ARCHITECTURE,
    mpnet::ARCHITECTURE,
    mpt::ARCHITECTURE,
    mt5::ARCHITECTURE,
    mvp::ARCHITECTURE,
    nanochat::ARCHITECTURE,
    nemotron::ARCHITECTURE,
    nemotron_h::ARCHITECTURE,
    nllb_moe::ARCHITECTURE,
    nomic_bert::ARCHITECTURE,
    olmo::ARCHITECTURE,
    olmo2::ARCHITECTURE,
    olmo3::ARCHITECTURE,
    olmoe::ARCHITECTURE,
    openai_gpt::ARCHITECTURE,
    opt::ARCHITECTURE,
    pegasus::ARCHITECTURE,
    persimmon::ARCHITECTURE,
    phi::ARCHITECTURE,
    phi3::ARCHITECTURE,
    phimoe::ARCHITECTURE,
    plbart::ARCHITECTURE,
    prophetnet::ARCHITECTURE,
    qwen2::ARCHITECTURE,
    qwen2_moe::ARCHITECTURE,
    qwen3::ARCHITECTURE,
    qwen3_5::ARCHITECTURE,
    qwen3_5_moe::ARCHITECTURE,
    qwen3_5_moe_text::ARCHITECTURE,
    qwen3_5_text::ARCHITECTURE,
    qwen3_moe::ARCHITECTURE,
    qwen3_next::ARCHITECTURE,
    roberta::ARCHITECTURE,
    roberta_prelayernorm::ARCHITECTURE,
    roformer::ARCHITECTURE,
    seed_oss::ARCHITECTURE,
    smollm3::ARCHITECTURE,
    solar_open::ARCHITECTURE,
    squeezebert::ARCHITECTURE,
    stablelm::ARCHITECTURE,
    starcoder2::ARCHITECTURE,
    t5::ARCHITECTURE,
    umt5::ARCHITECTURE,
    vaultgemma::ARCHITECTURE,
    vit::ARCHITECTURE,
    wav2vec2::ARCHITECTURE,
    xglm::ARCHITECTURE,
    xlm_roberta::ARCHITECTURE,
    xlm_roberta_xl::ARCHITECTURE,
    xlnet::ARCHITECTURE,
    youtu::ARCHITECTURE,
    zamba2::ARCHITECTURE,
];

/// The architecture of a `model_type`.
pub fn find(model_type: &str) -> Option<&'static Architecture> {
    ARCHITECTURES.iter().find(|a| a.model_type == model_type)
}

/// The architecture of a `config.json`.
pub fn of(config: &serde_json::Value) -> Option<&'static Architecture> {
    find(config.get("model_type")?.as_str()?)
}

/// Whether the longest row of a batch changes what the model says about the others, because rotary positions grow with it.
pub fn couples_rows(config: &serde_json::Value) -> bool {
    let parameters = ["rope_scaling", "rope_parameters"].into_iter().filter_map(|key| config.get(key));
    // With `alpha`, `dynamic` is not: HunYuan's base is the same for all lengths.
    let fixed = |p: &serde_json::Value| p.get("alpha").and_then(serde_json::Value::as_f64).is_some_and(|alpha| alpha != 0.0);
    let mut kinds = parameters.filter_map(|p| Some((p.get("rope_type").or_else(|| p.get("type"))?.as_str()?, fixed(p))));
    kinds.any(|(kind, fixed)| kind == "longrope" || kind == "dynamic" && !fixed)
}
