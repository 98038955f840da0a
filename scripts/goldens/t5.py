"""T5 and its relatives: the heads on texts, and what they write."""

from heads import family
from seq2seq import seq2seq
from tokenizers_on_disk import pieces

T5 = dict(d_model=32, d_kv=8, d_ff=37, num_layers=2, num_heads=4, decoder_start_token_id=0)
ODD = dict(T5, d_kv=6, num_layers=3, num_decoder_layers=2, relative_attention_num_buckets=8, relative_attention_max_distance=14)
SLOW = pieces("T5Tokenizer", extra_ids=5)
SAVED = pieces("T5Tokenizer", files="v4", extra_ids=0)
FAST = pieces("T5Tokenizer", files="fast", extra_ids=3)
HEADS = ["sequence_classification", "token_classification", "question_answering"]

family("t5", "T5", T5, SLOW, heads=HEADS)
family("mt5", "MT5", T5, SAVED, heads=HEADS)
family("umt5", "UMT5", T5, FAST, heads=HEADS)

seq2seq("t5", "seq2seq", SLOW, T5, dtype="float16")
seq2seq("t5", "seq2seq_b", SAVED, dict(ODD, feed_forward_proj="gated-gelu", tie_word_embeddings=False), generation=4, dtype="float16")
seq2seq("mt5", "seq2seq", SAVED, T5, dtype="float16")
seq2seq("mt5", "seq2seq_b", SLOW, dict(ODD, feed_forward_proj="relu"), without=("tie_word_embeddings",), dtype="bfloat16")
seq2seq("umt5", "seq2seq", FAST, T5, dtype="float16")
seq2seq("umt5", "seq2seq_b", SAVED, dict(ODD, feed_forward_proj="gated-gelu", tie_word_embeddings=False), dtype="bfloat16", generation=4)
seq2seq("longt5", "seq2seq", SLOW, dict(T5, local_radius=4), dtype="float16")
seq2seq("longt5", "seq2seq_b", SAVED, dict(ODD, local_radius=6, global_block_size=4, encoder_attention_type="transient-global", feed_forward_proj="gated-gelu",
                                           tie_word_embeddings=False), dtype="float16")
