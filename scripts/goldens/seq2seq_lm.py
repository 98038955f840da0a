"""Encoder-decoder language models: two shapes or more of each, the second off the beaten track."""

from common import TEXTS, Case, checkpoint
from seq2seq import seq2seq
from tokenizers_on_disk import ROBERTA, byte_bpe

SMALL = dict(d_model=24, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=30, decoder_ffn_dim=34,
             max_position_embeddings=100)
ODD = dict(SMALL, encoder_layers=1, decoder_layers=3, encoder_attention_heads=2, decoder_attention_heads=3, scale_embedding=True)
BART = byte_bpe("BartTokenizer", specials=ROBERTA, merges=40, model_max_length=64)

seq2seq("bart", "seq2seq", BART, SMALL, thorough=True)
seq2seq("bart", "seq2seq_b", byte_bpe("BartTokenizer", files="fast", specials=ROBERTA, merges=50), dict(ODD, activation_function="relu", tie_word_embeddings=True),
        defaults=dict(num_beams=2, no_repeat_ngram_size=3, forced_bos_token_id=0, max_length=20))
