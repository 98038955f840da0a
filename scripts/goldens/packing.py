"""How quantized checkpoints store a linear layer, by the formulas of the packages that write them.

A scheme turns a matrix [outputs, inputs] into what the package would read back from it, in 32-bit floats, and the tensors that it stores.
The packages themselves need other hardware; what they compute when they dequantize is in their sources: AutoGPTQ's and GPTQModel's
`TorchQuantLinear.dequantize_weight`, AutoAWQ's `dequantize_gemm`, compressed-tensors' `pack_to_int32` and `dequantize`.
"""

import json

import torch


def stream(numbers, bits):
    """Numbers [n, columns] as a stream of bits down each column: [n · bits / 32, columns] words."""
    numbers = numbers.to(torch.int64)
    places = (numbers.unsqueeze(1) >> torch.arange(bits).view(1, -1, 1)) & 1
    places = places.reshape(-1, 32, numbers.shape[1])
    words = (places << torch.arange(32).view(1, -1, 1)).sum(1)
    return torch.where(words >= 1 << 31, words - (1 << 32), words).to(torch.int32)


def words(numbers, bits):
    """Numbers [n, columns], as many whole ones in a word as fit: [words, columns]."""
    each = 32 // bits
    numbers = torch.nn.functional.pad(numbers.to(torch.int64), (0, 0, 0, -len(numbers) % each))
    packed = (numbers.view(-1, each, numbers.shape[1]) << (bits * torch.arange(each)).view(1, -1, 1)).sum(1)
    return torch.where(packed >= 1 << 31, packed - (1 << 32), packed).to(torch.int32)


def rounded(weight, groups, bits, symmetric, least=0):
    """Integers [outputs, inputs], and scales (in 16 bits) and zero points [outputs, groups], for columns of these groups."""
    top, count = 2**bits - 1, int(groups.max()) + 1
    scales, zeros = torch.empty(len(weight), count), torch.empty(len(weight), count)
    for group in range(count):
        part = weight[:, groups == group]
        low, high = part.min(1).values.clamp(max=0), part.max(1).values.clamp(min=0)
        if symmetric:
            scales[:, group], zeros[:, group] = 2 * torch.maximum(-low, high) / top, 2 ** (bits - 1)
        else:
            scales[:, group] = (high - low) / top
            zeros[:, group] = (-low / scales[:, group]).round().clamp(least, top)
    scales = scales.half().float()
    numbers = (weight / scales[:, groups] + zeros[:, groups]).round().clamp(0, top)
    return numbers, scales, zeros, scales[:, groups] * (numbers - zeros[:, groups])


def grouped(columns, size):
    return torch.arange(columns) // (columns if size == -1 else size)


class Gptq:
    def __init__(self, bits=4, group_size=16, desc_act=False, sym=False, version="gptq", listed=True, biases=False):
        self.bits, self.group_size, self.desc_act, self.sym, self.version, self.listed, self.biases = bits, group_size, desc_act, sym, version, listed, biases
        self.config = {"quant_method": "gptq", "bits": bits, "group_size": group_size, "desc_act": desc_act, "sym": sym, "checkpoint_format": version, "lm_head": False}

    def __call__(self, weight):
        groups = grouped(weight.shape[1], self.group_size)
        if self.desc_act:
            groups = groups[torch.randperm(len(groups))]
        numbers, scales, zeros, weight = rounded(weight, groups, self.bits, self.sym, least=1)
        stored = zeros - (1 if self.version == "gptq" else 0)
        tensors = {"qweight": stream(numbers.T, self.bits), "qzeros": stream(stored, self.bits).T, "scales": scales.T.half()}
        if self.listed:
            tensors["g_idx"] = groups.to(torch.int32)
        if self.biases:
            tensors["bias"] = torch.zeros(len(weight), dtype=torch.half)
        return weight, tensors


class Awq:
    ORDER = [0, 2, 4, 6, 1, 3, 5, 7]

    def __init__(self, group_size=16):
        self.group_size = group_size
        self.config = {"quant_method": "awq", "bits": 4, "group_size": group_size, "zero_point": True, "version": "gemm", "modules_to_not_convert": None}

    def __call__(self, weight):
        numbers, scales, zeros, weight = rounded(weight, grouped(weight.shape[1], self.group_size), 4, False)
        return weight, {"qweight": self.pack(numbers.T), "qzeros": self.pack(zeros.T), "scales": scales.T.half()}

    def pack(self, numbers):
        """Eight outputs of a row to a word, in AWQ's order."""
        lines, width = numbers.shape
        return words(numbers.reshape(lines, width // 8, 8)[:, :, self.ORDER].reshape(lines, width).T, 4).T


class AwqGemv:
    """AWQ for products with one token: eight inputs of an output to a word, in their own order; scales and zero points are padded (AutoAWQ's `WQLinear_GEMV`)."""

    def __init__(self, group_size=32):
        self.group_size = group_size
        self.config = {"quant_method": "awq", "bits": 4, "group_size": group_size, "zero_point": True, "version": "gemv", "modules_to_not_convert": None}

    def __call__(self, weight):
        numbers, scales, zeros, weight = rounded(weight, grouped(weight.shape[1], self.group_size), 4, False)
        together = {64: 2, 32: 4}.get(self.group_size, 1)
        wide = -(-(-(-scales.shape[1] // 8)) // together) * together * 8
        padded = [torch.nn.functional.pad(t, (0, wide - t.shape[1])) for t in (scales, zeros)]
        return weight, {"qweight": words(numbers.T, 4).T, "qzeros": words(padded[1].T, 4).T, "scales": padded[0].half()}


class HalfSteps:
    """4-bit floats of 2 exponent bits and 1 mantissa bit, two to a byte.

    compressed-tensors: blocks of 16 whose scales are 8-bit floats, with a divisor for all of them (`nvfp4-pack-quantized`), or blocks of 32 whose
    scales are powers of two (`mxfp4-pack-quantized`). ModelOpt has the first of these with a factor in place of the divisor.
    """

    FLOATS = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0]

    def __init__(self, block=16, modelopt=False):
        self.block, self.modelopt = block, modelopt
        weights = {"num_bits": 4, "type": "float", "symmetric": True, "strategy": "tensor_group" if block == 16 else "group", "group_size": block, "dynamic": False}
        groups = {"group_0": {"targets": ["Linear"], "weights": weights, "input_activations": None, "output_activations": None}}
        self.config = {"quant_method": "modelopt", "quant_algo": "NVFP4", "config_groups": groups, "ignore": ["lm_head"]} if modelopt else {
            "quant_method": "compressed-tensors", "format": "nvfp4-pack-quantized" if block == 16 else "mxfp4-pack-quantized",
            "quantization_status": "compressed", "ignore": ["lm_head"], "config_groups": groups}

    def __call__(self, weight):
        rows, columns = weight.shape
        blocks = weight.reshape(rows, -1, self.block)
        largest = blocks.abs().amax(-1)
        if self.block == 16:
            whole = 6 * 448 / float(largest.max())
            stored = (largest / 6 * whole).to(torch.float8_e4m3fn)
            scales = stored.float() / torch.tensor(whole)
        else:
            exponents = largest.log2().floor() - 2
            stored, scales = (exponents + 127).to(torch.uint8), 2 ** exponents
        floats = torch.tensor(self.FLOATS)
        numbers = ((blocks / scales[..., None])[..., None] - floats).abs().argmin(-1)
        packed = (numbers[..., 0::2] | numbers[..., 1::2] << 4).to(torch.uint8).reshape(rows, columns // 2)
        tensors = {"weight" if self.modelopt else "weight_packed": packed, "weight_scale": stored}
        if self.block == 16:
            tensors |= {"weight_scale_2": torch.tensor(1 / whole), "input_scale": torch.tensor(0.01)} if self.modelopt else {
                "weight_global_scale": torch.tensor([whole])}
        return (floats[numbers] * scales[..., None]).reshape(rows, columns), tensors


class Compressed:
    """compressed-tensors with integers: packed, or a byte each."""

    def __init__(self, bits=4, group_size=16, symmetric=True, packed=True, actorder=False):
        self.bits, self.group_size, self.symmetric, self.packed, self.actorder = bits, group_size, symmetric, packed, actorder
        weights = {"num_bits": bits, "type": "int", "symmetric": symmetric, "strategy": "channel" if group_size == -1 else "group",
                   "group_size": None if group_size == -1 else group_size, "dynamic": False, "actorder": "group" if actorder else None}
        self.config = {"quant_method": "compressed-tensors", "format": "pack-quantized" if packed else "int-quantized", "quantization_status": "compressed", "ignore": ["lm_head"],
                       "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights, "input_activations": None, "output_activations": None}}}

    def __call__(self, weight):
        rows, columns = weight.shape
        groups = grouped(columns, self.group_size)
        if self.actorder:
            groups = groups[torch.randperm(columns)]
        numbers, scales, zeros, weight = rounded(weight, groups, self.bits, self.symmetric)
        middle = 2 ** (self.bits - 1)
        tensors = {"weight_scale": scales}
        if self.packed:
            tensors |= {"weight_packed": words(numbers.T, self.bits).T, "weight_shape": torch.tensor([rows, columns])}
        else:
            tensors["weight"] = (numbers - middle).to(torch.int8)
        if not self.symmetric:
            tensors["weight_zero_point"] = words(zeros, self.bits) if self.packed else (zeros - middle).to(torch.int8)
        if self.actorder:
            tensors["weight_g_idx"] = groups.to(torch.int32)
        return weight, tensors


class Floats:
    """8-bit floats: with a scale for each output (compressed-tensors), or for each block (as DeepSeek publishes them)."""

    def __init__(self, block=None):
        self.block = block
        weights = {"num_bits": 8, "type": "float", "symmetric": True, "strategy": "channel", "dynamic": False}
        self.config = {"quant_method": "fp8", "activation_scheme": "dynamic", "fmt": "e4m3", "weight_block_size": [block, block]} if block else {
            "quant_method": "compressed-tensors", "format": "float-quantized", "quantization_status": "compressed", "ignore": ["lm_head"],
            "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights, "input_activations": {"num_bits": 8, "type": "float", "dynamic": True, "strategy": "token"}}}}

    def __call__(self, weight):
        rows, columns = weight.shape
        lines, line = torch.arange(rows) // (self.block or 1), torch.arange(columns) // (self.block or columns)
        scales = torch.zeros(int(lines.max()) + 1, int(line.max()) + 1)
        for i in range(scales.shape[0]):
            for j in range(scales.shape[1]):
                scales[i, j] = weight[lines == i][:, line == j].abs().max() / 448
        wide = scales[lines][:, line]
        numbers = (weight / wide).to(torch.float8_e4m3fn)
        return numbers.float() * wide, {"weight": numbers, "weight_scale_inv" if self.block else "weight_scale": scales}


class StackedFloats(Floats):
    """8-bit floats of experts that stay in one tensor: as FBGEMM has them for Llama 4, a scale for each output, or a scale for each block."""

    def __init__(self, block=None):
        super().__init__(block)
        if not block:
            self.config = {"quant_method": "fbgemm_fp8", "activation_scale_ub": 1200.0, "modules_to_not_convert": ["lm_head"]}

    def stacked(self, name, experts):
        """The widened experts, and the tensors that hold them. Those of Llama 4 are [inputs, outputs]."""
        made = [self(expert if self.block else expert.T) for expert in experts]
        wide = torch.stack([weight if self.block else weight.T for weight, _ in made])
        numbers = torch.stack([tensors["weight"] if self.block else tensors["weight"].T for _, tensors in made])
        scales = torch.stack([tensors["weight_scale_inv" if self.block else "weight_scale"] for _, tensors in made])
        # (experts, 1, outputs) beside the first matrices, (experts, outputs, 1) beside the second ones.
        scales = scales.transpose(1, 2) if not self.block and name.endswith("gate_up_proj") else scales
        return wide, {name: numbers, f"{name}_scale_inv" if self.block else f"{name}_scale": scales}


class Bnb:
    """bitsandbytes in 4 bits: sixteen floats, blocks along the rows one after another, and scales that may be quantized themselves."""

    NF4 = [-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0,
           0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0]
    FP4 = [0.0, 0.0052083333, 0.66666667, 1.0, 0.33333333, 0.5, 0.16666667, 0.25]

    def __init__(self, kind="nf4", nested=False, block=64):
        self.kind, self.nested, self.block = kind, nested, block
        self.map = torch.tensor(self.NF4 if kind == "nf4" else self.FP4 + [-x for x in self.FP4])
        self.config = {"quant_method": "bitsandbytes", "load_in_4bit": True, "load_in_8bit": False, "bnb_4bit_quant_type": kind, "bnb_4bit_use_double_quant": nested,
                       "bnb_4bit_compute_dtype": "float32", "bnb_4bit_quant_storage": "uint8"}

    def __call__(self, weight):
        blocks = weight.reshape(-1, self.block)
        scales = blocks.abs().max(1).values
        state = {"quant_type": self.kind, "blocksize": self.block, "dtype": "float32", "shape": list(weight.shape)}
        tensors = {}
        if self.nested:
            size = 16
            offset, nested_map = float(scales.mean()), torch.cat([-torch.logspace(0, -3, 127), torch.zeros(1), torch.logspace(-3, 0, 128)])
            rest = torch.nn.functional.pad(scales - offset, (0, -len(scales) % size)).reshape(-1, size)
            largest = rest.abs().max(1).values
            numbers = (rest / largest[:, None])[:, :, None].sub(nested_map).abs().argmin(-1).flatten()[: len(scales)]
            scales = nested_map[numbers] * largest[torch.arange(len(scales)) // size] + offset
            tensors |= {"weight.absmax": numbers.to(torch.uint8), "weight.nested_absmax": largest, "weight.nested_quant_map": nested_map.clone()}
            state |= {"nested_blocksize": size, "nested_dtype": "float32", "nested_offset": offset}
        else:
            tensors["weight.absmax"] = scales
        numbers = (blocks / scales[:, None])[:, :, None].sub(self.map).abs().argmin(-1)
        pairs = numbers.reshape(-1, 2)
        tensors |= {"weight": (pairs[:, 0] * 16 + pairs[:, 1]).to(torch.uint8)[:, None], "weight.quant_map": self.map.clone(),
                    f"weight.quant_state.bitsandbytes__{self.kind}": torch.tensor(list(json.dumps(state).encode()), dtype=torch.uint8)}
        return (self.map[numbers] * scales[:, None]).reshape(weight.shape), tensors


class BnbInt8:
    """bitsandbytes in 8 bits: the numbers that 127 stands for, of each output (`int8_vectorwise_quant`)."""

    config = {"quant_method": "bitsandbytes", "load_in_4bit": False, "load_in_8bit": True, "llm_int8_threshold": 6.0, "llm_int8_skip_modules": None}

    def __call__(self, weight):
        largest = weight.abs().amax(1)
        numbers = (weight * (127 / largest)[:, None]).round().to(torch.int8)
        return numbers.float() * (largest / 127)[:, None], {"weight": numbers, "SCB": largest, "weight_format": torch.tensor(0, dtype=torch.uint8)}
