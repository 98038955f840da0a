"""Prints 1,024 sentences of mixed lengths, about 37 tokens on average: the same ones each time."""

import random

WORDS = """the a of and to in is was for on with as by at from that this which their it be are have had has not but
one two many some every only also more most other such about between during before after over under through because where when
while if so than then water river mountain city house school village garden market street bridge harbour island forest field
animal horse bird fish tree flower stone metal glass paper letter book story song music picture colour light shadow winter summer
morning evening night year week month day hour minute history science nature language question answer problem reason idea theory
method result example number part place country government law court army king queen teacher student doctor writer painter farmer
worker engineer company industry machine engine wheel ship railway station airport road journey war peace trade price money bank
family mother father brother sister child friend neighbour visitor large small old new young early late long short high low strong
weak bright dark quiet loud simple difficult important famous common rare strange beautiful wooden northern southern modern ancient
build make find give take keep lose write read speak hear see know think believe remember forget begin finish follow lead carry
bring send open close grow change move stand walk run travel arrive leave return remain become seem appear explain describe compare
measure discover invent improve increase reduce protect destroy electricity temperature photosynthesis parliament archaeology
constitution manufacturing encyclopaedia astronomical biodiversity unemployment infrastructure interdisciplinary counterproductive"""


def sentences(count=1024, seed=0):
    rng = random.Random(seed)
    words = WORDS.split()
    for _ in range(count):
        length = max(4, min(110, round(rng.lognormvariate(3.19, 0.62))))
        chosen = [rng.choice(words) for _ in range(length)]
        for place in range(8, length, 9):
            chosen[place - 1] += ","
        yield " ".join(chosen).capitalize() + "."


if __name__ == "__main__":
    print("\n".join(sentences()))
