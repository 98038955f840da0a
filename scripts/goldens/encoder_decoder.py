"""Text encoders with language models that look at them."""

from seq2seq import seq2seq
from tokenizers_on_disk import ROBERTA, byte_bpe, wordpiece

A = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=37, max_position_embeddings=128)
WRITES = dict(is_decoder=True, add_cross_attention=True)
BERT = dict(A, model_type="bert", vocab_size=320)
PADDED = dict(A, model_type="roberta", vocab_size=341, max_position_embeddings=130, type_vocab_size=1, pad_token_id=1)
GPT2 = dict(WRITES, model_type="gpt2", vocab_size=341, n_embd=30, n_layer=2, n_head=5, n_inner=36, n_positions=100, activation_function="relu")

seq2seq("encoder-decoder", "seq2seq", wordpiece(),
        dict(encoder=dict(BERT, num_hidden_layers=1, type_vocab_size=3), decoder=dict(BERT, **WRITES, hidden_act="relu"), decoder_start_token_id=2, eos_token_id=3),
        dtype="float16", without=("vocab_size",))
seq2seq("encoder-decoder", "seq2seq_b", byte_bpe(specials=ROBERTA),
        dict(encoder=dict(PADDED, hidden_size=24, type_vocab_size=2), decoder=GPT2, decoder_start_token_id=0), dtype="float16")
seq2seq("encoder-decoder", "seq2seq_roberta", byte_bpe(specials=ROBERTA, files="fast"),
        dict(encoder=dict(PADDED, hidden_size=24), decoder=dict(PADDED, **WRITES, hidden_size=24, hidden_act="gelu_new"), decoder_start_token_id=0), dtype="float16", generation=4)
