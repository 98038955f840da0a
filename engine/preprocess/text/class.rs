//! Which tokenizer class of the reference a checkpoint gets.

use serde_json::{Map, Value};

use super::classes::{self, Class};

/// Tokenizers that the reference takes from `tokenizer.json` as they are.
pub(crate) const GENERIC: &str = "TokenizersBackend";

/// Model types whose checkpoints are known to name a wrong class.
const NAMES_WRONG_CLASS: &[&str] = &[
    "arctic",
    "camembertv2-base",
    "chatlm",
    "cohere_asr",
    "ernie4_5",
    "ernie4_5_moe",
    "fuyu",
    "h2ovl_chat",
    "hyperclovax",
    "hyperclovax_vision_v2",
    "hyperclovax_vlm",
    "internlm2",
    "internlm3",
    "iquestcoder",
    "jamba",
    "llava",
    "llava_next",
    "minicpm3",
    "minicpmv",
    "minimax_m2",
    "modernbert",
    "modernbert-decoder",
    "molmo",
    "molmo2",
    "nemotron",
    "nvfp4",
    "opencua",
    "openvla",
    "paddleocr_vl",
    "phi3",
    "phi3_v",
    "phimoe",
    "qwen2",
    "qwen3_5",
    "qwen3_5_moe",
    "qwen3_5_moe_text",
    "qwen4_exp",
    "siglip2",
    "smolvlm",
    "step3_vl",
    "vipllava",
];

/// Decides the class from `tokenizer_config.json` and `config.json`, as `AutoTokenizer` does: the checkpoint's word counts,
/// unless the model type is known to name a wrong class or the class does not exist.
pub(crate) fn resolve(config: &Value, tokenizer_config: &Map<String, Value>, json: Option<&[u8]>) -> &'static Class {
    let own = tokenizer_config.get("tokenizer_class").and_then(Value::as_str);
    let named = own.or_else(|| config.get("tokenizer_class").and_then(Value::as_str)).map(without_fast);
    let model_type = config.get("model_type").and_then(Value::as_str).unwrap_or_default();
    let registered = registered(model_type);
    let wrong = NAMES_WRONG_CLASS.contains(&model_type);
    let Some(named) = named else {
        return registered.and_then(classes::find).unwrap_or_else(classes::generic);
    };
    if named == "LlamaTokenizer" && !wrong && !is_mistral(model_type) && json.is_some_and(is_byte_level) {
        return classes::generic();
    }
    match registered {
        Some(registered) if registered != named && !tokenizer_config.contains_key("auto_map") => {
            if registered == GENERIC {
                return classes::generic();
            }
            classes::find(if wrong { registered } else { named }).unwrap_or_else(classes::generic)
        }
        _ => classes::find(named).unwrap_or_else(classes::generic),
    }
}

/// The class of a model type. Types that are not here take `tokenizer.json` as it is.
fn registered(model_type: &str) -> Option<&'static str> {
    if NAMES_WRONG_CLASS.contains(&model_type) {
        return Some(MODEL_TYPES.iter().find(|(name, _)| *name == model_type).map_or(GENERIC, |(_, class)| class));
    }
    MODEL_TYPES.iter().find(|(name, _)| *name == model_type).map(|(_, class)| *class)
}

fn is_mistral(model_type: &str) -> bool {
    ["ministral", "ministral3", "mistral", "mistral3", "mistral_large4", "mixtral", "pixtral", "voxtral", "voxtral_realtime"]
        .contains(&model_type)
}

/// Some checkpoints name Llama's class beside a byte-level `tokenizer.json`, which that class cannot represent.
fn is_byte_level(json: &[u8]) -> bool {
    json.windows(11).any(|window| window == br#""ByteLevel""#)
}

fn without_fast(class: &str) -> &str {
    class.strip_suffix("Fast").filter(|class| *class != "PreTrainedTokenizer").unwrap_or(class)
}

/// Model types and their tokenizer classes, as the reference registers them.
#[rustfmt::skip]
const MODEL_TYPES: &[(&str, &str)] = &[
    ("EvollaModel", "TokenizersBackend"), ("aimv2", "CLIPTokenizer"), ("albert", "AlbertTokenizer"), ("align", "BertTokenizer"),
    ("arctic", "TokenizersBackend"), ("aria", "TokenizersBackend"), ("audioflamingo3", "Qwen2Tokenizer"),
    ("aya_vision", "CohereTokenizer"), ("bark", "BertTokenizer"), ("bart", "RobertaTokenizer"), ("barthez", "BarthezTokenizer"),
    ("bartpho", "BartphoTokenizer"), ("beam", "TokenizersBackend"), ("bert", "BertTokenizer"),
    ("bert-generation", "BertGenerationTokenizer"), ("bert-japanese", "BertJapaneseTokenizer"), ("bertweet", "BertweetTokenizer"),
    ("big_bird", "BigBirdTokenizer"), ("bigbird_pegasus", "TokenizersBackend"), ("biogpt", "BioGptTokenizer"),
    ("blenderbot", "BlenderbotTokenizer"), ("blenderbot-small", "BlenderbotSmallTokenizer"), ("blip", "BertTokenizer"),
    ("blip-2", "GPT2Tokenizer"), ("bridgetower", "RobertaTokenizer"), ("bros", "BertTokenizer"), ("byt5", "ByT5Tokenizer"),
    ("camembert", "CamembertTokenizer"), ("camembertv2-base", "TokenizersBackend"), ("canary", "TokenizersBackend"),
    ("canine", "CanineTokenizer"), ("chatlm", "TokenizersBackend"), ("chinese_clip", "BertTokenizer"), ("clap", "RobertaTokenizer"),
    ("clip", "CLIPTokenizer"), ("clipseg", "CLIPTokenizer"), ("clvp", "ClvpTokenizer"), ("code_llama", "CodeLlamaTokenizer"),
    ("codegen", "GPT2Tokenizer"), ("cohere", "CohereTokenizer"), ("cohere2", "CohereTokenizer"), ("cohere_asr", "TokenizersBackend"),
    ("colqwen2", "Qwen2Tokenizer"), ("convbert", "BertTokenizer"), ("cosmos3_omni", "Qwen2Tokenizer"), ("cpm", "CpmTokenizer"),
    ("cpmant", "CpmAntTokenizer"), ("ctrl", "CTRLTokenizer"), ("data2vec-audio", "Wav2Vec2CTCTokenizer"),
    ("data2vec-text", "RobertaTokenizer"), ("dbrx", "GPT2Tokenizer"), ("deberta", "DebertaTokenizer"),
    ("deberta-v2", "DebertaV2Tokenizer"), ("dia", "DiaTokenizer"), ("diffusion_gemma", "GemmaTokenizer"), ("distilbert", "BertTokenizer"),
    ("dots3_note", "Qwen2Tokenizer"), ("dpr", "DPRQuestionEncoderTokenizer"), ("electra", "BertTokenizer"), ("emu3", "GPT2Tokenizer"),
    ("ernie", "BertTokenizer"), ("ernie4_5", "TokenizersBackend"), ("ernie4_5_moe", "TokenizersBackend"), ("esm", "EsmTokenizer"),
    ("esmc", "EsmcTokenizer"), ("esmfold2", "EsmcTokenizer"), ("falcon_mamba", "GPTNeoXTokenizer"), ("flaubert", "FlaubertTokenizer"),
    ("flava", "BertTokenizer"), ("flex_olmo", "TokenizersBackend"), ("florence2", "BartTokenizer"), ("fnet", "FNetTokenizer"),
    ("fsmt", "FSMTTokenizer"), ("fun_asr_nano", "Qwen2Tokenizer"), ("funnel", "FunnelTokenizer"), ("fuyu", "TokenizersBackend"),
    ("gemma", "GemmaTokenizer"), ("gemma2", "GemmaTokenizer"), ("gemma3", "GemmaTokenizer"), ("gemma3_text", "GemmaTokenizer"),
    ("gemma3n", "GemmaTokenizer"), ("gemma3n_text", "GemmaTokenizer"), ("git", "BertTokenizer"), ("glm", "TokenizersBackend"),
    ("glm4", "TokenizersBackend"), ("glm4_moe", "TokenizersBackend"), ("glm4_moe_lite", "TokenizersBackend"),
    ("glm4v", "TokenizersBackend"), ("glm4v_moe", "TokenizersBackend"), ("glm_image", "TokenizersBackend"),
    ("glmasr", "TokenizersBackend"), ("got_ocr2", "TokenizersBackend"), ("gpt-sw3", "GPTSw3Tokenizer"), ("gpt2", "GPT2Tokenizer"),
    ("gpt_bigcode", "TokenizersBackend"), ("gpt_neo", "GPT2Tokenizer"), ("gpt_neox", "GPTNeoXTokenizer"),
    ("gpt_neox_japanese", "GPTNeoXJapaneseTokenizer"), ("gptj", "GPT2Tokenizer"), ("gradium_phonon_tts", "TokenizersBackend"),
    ("granite", "TokenizersBackend"), ("granite_speech5_ctc", "ParakeetTokenizer"), ("granitemoe", "TokenizersBackend"),
    ("granitemoehybrid", "TokenizersBackend"), ("granitemoeshared", "TokenizersBackend"), ("grounding-dino", "BertTokenizer"),
    ("groupvit", "CLIPTokenizer"), ("gte", "XLMRobertaTokenizer"), ("h2ovl_chat", "TokenizersBackend"), ("herbert", "HerbertTokenizer"),
    ("hubert", "Wav2Vec2CTCTokenizer"), ("hunyuan_vl", "Qwen2Tokenizer"), ("hyperclovax", "TokenizersBackend"),
    ("hyperclovax_vision_v2", "GPT2Tokenizer"), ("hyperclovax_vlm", "TokenizersBackend"), ("ibert", "RobertaTokenizer"),
    ("idefics", "LlamaTokenizer"), ("idefics2", "LlamaTokenizer"), ("instructblip", "GPT2Tokenizer"),
    ("instructblipvideo", "GPT2Tokenizer"), ("internlm2", "TokenizersBackend"), ("internlm3", "TokenizersBackend"),
    ("internvl", "Qwen2Tokenizer"), ("iquestcoder", "TokenizersBackend"), ("jais2", "GPT2Tokenizer"), ("jamba", "TokenizersBackend"),
    ("jina_embeddings_v3", "XLMRobertaTokenizer"), ("kimi_k25", "TokenizersBackend"), ("kimi_linear", "TokenizersBackend"),
    ("kosmos-2", "TokenizersBackend"), ("lasr_ctc", "LasrTokenizer"), ("lasr_encoder", "LasrTokenizer"), ("layoutlm", "BertTokenizer"),
    ("layoutlmv2", "LayoutLMv2Tokenizer"), ("layoutlmv3", "LayoutLMv3Tokenizer"), ("layoutxlm", "LayoutXLMTokenizer"),
    ("led", "LEDTokenizer"), ("lighton_ocr", "Qwen2Tokenizer"), ("lilt", "RobertaTokenizer"), ("llava", "TokenizersBackend"),
    ("llava_next", "TokenizersBackend"), ("longformer", "RobertaTokenizer"), ("luke", "LukeTokenizer"), ("lxmert", "LxmertTokenizer"),
    ("m2m_100", "M2M100Tokenizer"), ("mamba", "GPTNeoXTokenizer"), ("mamba2", "GPTNeoXTokenizer"), ("marian", "MarianTokenizer"),
    ("markuplm", "MarkupLMTokenizer"), ("mbart", "MBartTokenizer"), ("mbart50", "MBart50Tokenizer"), ("mega", "RobertaTokenizer"),
    ("megatron-bert", "BertTokenizer"), ("metaclip_2", "XLMRobertaTokenizer"), ("mgp-str", "MgpstrTokenizer"),
    ("mimo_v2_flash", "TokenizersBackend"), ("minicpm3", "TokenizersBackend"), ("minicpm_ocr", "TokenizersBackend"),
    ("minicpmv", "TokenizersBackend"), ("minicpmv4_6", "TokenizersBackend"), ("minicpmv4_7", "TokenizersBackend"),
    ("minimax_m2", "TokenizersBackend"), ("ministral", "TokenizersBackend"), ("ministral3", "TokenizersBackend"),
    ("mistral", "TokenizersBackend"), ("mistral3", "TokenizersBackend"), ("mistral_large4", "TokenizersBackend"),
    ("mixtral", "TokenizersBackend"), ("mluke", "MLukeTokenizer"), ("mm-grounding-dino", "BertTokenizer"),
    ("mobilebert", "MobileBertTokenizer"), ("modernbert", "TokenizersBackend"), ("modernbert-decoder", "TokenizersBackend"),
    ("molmo", "TokenizersBackend"), ("molmo2", "TokenizersBackend"), ("moss_transcribe_diarize", "Qwen2Tokenizer"),
    ("mpnet", "MPNetTokenizer"), ("mpt", "GPTNeoXTokenizer"), ("mra", "RobertaTokenizer"), ("mt5", "T5Tokenizer"),
    ("musicgen", "T5Tokenizer"), ("musicgen_melody", "T5Tokenizer"), ("mvp", "MvpTokenizer"), ("myt5", "MyT5Tokenizer"),
    ("nemo_speechlm", "TokenizersBackend"), ("nemotron", "TokenizersBackend"), ("nemotron3_5_asr", "ParakeetTokenizer"),
    ("nemotron_asr_streaming", "ParakeetTokenizer"), ("nezha", "BertTokenizer"), ("nllb", "NllbTokenizer"), ("nllb-moe", "NllbTokenizer"),
    ("nomic_bert", "BertTokenizer"), ("nougat", "NougatTokenizer"), ("nvfp4", "TokenizersBackend"),
    ("nystromformer", "TokenizersBackend"), ("olmo", "GPTNeoXTokenizer"), ("olmo2", "TokenizersBackend"), ("olmo3", "TokenizersBackend"),
    ("olmo_hybrid", "TokenizersBackend"), ("olmoe", "GPTNeoXTokenizer"), ("omdet-turbo", "CLIPTokenizer"), ("oneformer", "CLIPTokenizer"),
    ("openai-gpt", "OpenAIGPTTokenizer"), ("opencua", "TokenizersBackend"), ("openvla", "TokenizersBackend"), ("opt", "GPT2Tokenizer"),
    ("ovis2", "Qwen2Tokenizer"), ("owlv2", "CLIPTokenizer"), ("owlvit", "CLIPTokenizer"), ("paddleocr_vl", "TokenizersBackend"),
    ("parakeet_ctc", "ParakeetTokenizer"), ("parakeet_rnnt", "ParakeetTokenizer"), ("parakeet_tdt", "ParakeetTokenizer"),
    ("pegasus", "PegasusTokenizer"), ("pegasus_x", "TokenizersBackend"), ("perceiver", "PerceiverTokenizer"),
    ("persimmon", "TokenizersBackend"), ("phi", "GPT2Tokenizer"), ("phi3", "TokenizersBackend"), ("phi3_v", "TokenizersBackend"),
    ("phimoe", "TokenizersBackend"), ("phobert", "PhobertTokenizer"), ("pix2struct", "TokenizersBackend"),
    ("pixtral", "TokenizersBackend"), ("plbart", "PLBartTokenizer"), ("pocket_tts", "TokenizersBackend"),
    ("pp_formulanet", "NougatTokenizer"), ("prophetnet", "ProphetNetTokenizer"), ("qdqbert", "BertTokenizer"),
    ("qianfan_ocr", "Qwen2Tokenizer"), ("qwen2", "Qwen2Tokenizer"), ("qwen2_5_omni", "Qwen2Tokenizer"), ("qwen2_5_vl", "Qwen2Tokenizer"),
    ("qwen2_audio", "Qwen2Tokenizer"), ("qwen2_moe", "Qwen2Tokenizer"), ("qwen2_vl", "Qwen2Tokenizer"), ("qwen3", "Qwen2Tokenizer"),
    ("qwen3_5", "Qwen3_5Tokenizer"), ("qwen3_5_moe", "Qwen3_5Tokenizer"), ("qwen3_5_moe_text", "Qwen3_5Tokenizer"),
    ("qwen3_5_text", "Qwen3_5Tokenizer"), ("qwen3_asr", "Qwen2Tokenizer"), ("qwen3_moe", "Qwen2Tokenizer"),
    ("qwen3_next", "Qwen2Tokenizer"), ("qwen3_omni_moe", "Qwen2Tokenizer"), ("qwen3_vl", "Qwen2Tokenizer"),
    ("qwen3_vl_moe", "Qwen2Tokenizer"), ("qwen4_exp", "Qwen3_5Tokenizer"), ("rag", "RagTokenizer"), ("realm", "BertTokenizer"),
    ("recurrent_gemma", "GemmaTokenizer"), ("reformer", "ReformerTokenizer"), ("rembert", "RemBertTokenizer"),
    ("retribert", "BertTokenizer"), ("roberta", "RobertaTokenizer"), ("roberta-prelayernorm", "RobertaTokenizer"),
    ("roc_bert", "RoCBertTokenizer"), ("roformer", "RoFormerTokenizer"), ("rwkv", "GPTNeoXTokenizer"), ("sam3", "CLIPTokenizer"),
    ("sam3_video", "CLIPTokenizer"), ("seamless_m4t", "SeamlessM4TTokenizer"), ("seamless_m4t_v2", "SeamlessM4TTokenizer"),
    ("shieldgemma2", "GemmaTokenizer"), ("siglip", "SiglipTokenizer"), ("siglip2", "Siglip2Tokenizer"), ("smolvlm", "TokenizersBackend"),
    ("speech_to_text", "Speech2TextTokenizer"), ("speecht5", "SpeechT5Tokenizer"), ("splinter", "SplinterTokenizer"),
    ("squeezebert", "BertTokenizer"), ("stablelm", "TokenizersBackend"), ("starcoder2", "GPT2Tokenizer"),
    ("step3_vl", "TokenizersBackend"), ("switch_transformers", "T5Tokenizer"), ("t5", "T5Tokenizer"), ("t5gemma", "GemmaTokenizer"),
    ("tapas", "TapasTokenizer"), ("tipsv2", "Tipsv2Tokenizer"), ("trocr", "XLMRobertaTokenizer"), ("tvp", "BertTokenizer"),
    ("udop", "UdopTokenizer"), ("umt5", "TokenizersBackend"), ("unispeech", "Wav2Vec2CTCTokenizer"),
    ("unispeech-sat", "Wav2Vec2CTCTokenizer"), ("vibevoice", "Qwen2Tokenizer"), ("videoprism", "VideoPrismTokenizer"),
    ("vilt", "BertTokenizer"), ("vipllava", "TokenizersBackend"), ("visual_bert", "BertTokenizer"), ("vits", "VitsTokenizer"),
    ("voxtral", "TokenizersBackend"), ("voxtral_realtime", "TokenizersBackend"), ("wav2vec2", "Wav2Vec2CTCTokenizer"),
    ("wav2vec2-bert", "Wav2Vec2CTCTokenizer"), ("wav2vec2-conformer", "Wav2Vec2CTCTokenizer"),
    ("wav2vec2_phoneme", "Wav2Vec2PhonemeCTCTokenizer"), ("whisper", "WhisperTokenizer"), ("xclip", "CLIPTokenizer"),
    ("xglm", "XGLMTokenizer"), ("xlm", "XLMTokenizer"), ("xlm-roberta", "XLMRobertaTokenizer"), ("xlm-roberta-xl", "TokenizersBackend"),
    ("xlnet", "XLNetTokenizer"), ("xlstm", "GPTNeoXTokenizer"), ("xmod", "XLMRobertaTokenizer"), ("yoso", "AlbertTokenizer"),
    ("zaya", "GemmaTokenizer"),
];
