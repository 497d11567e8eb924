"""The words that reading an outcome depends on: fillers, statistics, metrics, instruments.

Words are compared as stems, so that "randomised" and "randomization" are one. Does no I/O.
"""

from __future__ import annotations

from functools import lru_cache

_STEM = 6


@lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """Return the first letters of a word, without plural and without British digraphs."""
    if len(word) < 4 or word.isdigit():
        return word
    if "e" in word:
        word = word.replace("ae", "e").replace("oe", "e")
    if word[-1] == "s" and word[-2] not in "sui":
        word = word[:-3] + "y" if word.endswith("ies") else word[:-1]
    return word[:_STEM]


def has_any(text: str, words: tuple[str, ...]) -> bool:
    """Return whether a text contains one of the words."""
    for word in words:  # noqa: SIM110 - a loop takes half the time of `any`
        if word in text:
            return True
    return False


def _stems(words: str) -> frozenset[str]:
    return frozenset(stem(word) for word in words.split())


NUMBER_WORDS = {
    "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7",
    "eight": "8", "nine": "9", "ten": "10", "eleven": "11", "twelve": "12", "fourteen": "14",
    "fifteen": "15", "sixteen": "16", "eighteen": "18", "twenty": "20", "thirty": "30",
    "forty": "40", "sixty": "60", "ninety": "90",
}  # fmt: skip

# words that carry no meaning by themselves
GRAMMAR = _stems(
    "a an the of in on at to for by with and or as is are was were be been being will would "
    "may that this these those which who whose it its their his her from into than then there "
    "if not no nor any all each every both other more most least per via vs versus between "
    "among within during over under after before until till up through throughout end start "
    "first last next initial day time when while also only such same either whether have has "
    "had do does did can could should above below about across out off post following "
    "approximately around"
)

# words that name no measure: grammar, and what every outcome says
FILLERS = GRAMMAR | _stems(
    "primary coprimary endpoint object objective outcome measure "
    "measured measurement study trial patient participant subject person people individual "
    "receive treat treated treatment therapy placebo arm group compare compared comparison "
    "evaluate evaluation assess assessed assessment determine effect efficacy efficient "
    "demonstrate show investigate examine estimate defined defini definition describe report "
    "record calculate obtain perform using use used based according follow followup visit "
    "regarding respect related total main key variable parameter result value level rate data "
    "number numbers unit include including mean average overall differ difference experience "
    "occurrence presence baseline change changes improve improvement reduction reduce "
    "increase decrease analysis population event incidence frequency percent percentage "
    "proportion version hour week month year minute second"
)

# fillers that narrow or widen what is measured: overall survival is another measure than survival
QUALIFIERS = _stems(
    "overall total main initial first last next other all any each every both only same individual"
)

# fillers that turn a measure into its opposite if they are exchanged, or stand on one side only
NEGATIONS = _stems("no not without")
OPPOSITES = tuple(
    (stem(one), stem(other))
    for one, other in (
        ("increase", "decrease"), ("increase", "reduction"), ("increase", "reduce"),
        ("above", "below"), ("over", "under"), ("before", "after"), ("most", "least"),
        ("start", "end"), ("first", "last"), ("more", "less"),
    )
)  # fmt: skip

# how a result is analysed: the raters count no change of these
STATISTICS = _stems(
    "analysis analyzed adjusted model ancova anova covariate regression kaplan meier estimate "
    "confidence interval hazard ratio logrank logistic mixed square ls imputed imputation "
    "locf observed missing itt mitt intent protocol population set full fas pp randomized "
    "random censored cut cutoff dco significant superiority noninferiority inferiority "
    "hypothesis power sample strata stratified bayesian mmrm reml statistic test snapshot "
    "algorithm fda calculated divided minus subtracted formula described summary summarized "
    "reported result displayed presented table negative positive"
)

# how a scale reads: the raters count no change of these
SCALE_WORDS = _stems(
    "range ranges ranging higher lower worse worst better best indicates represents points "
    "scale score scored item items minimum maximum possible sum summed greater severity "
    "severe mild moderate extreme none normal likert anchored subscale domain composed graded "
    "grade answer question value values respondent good poor health symptom"
)

# kinds of metric and aggregation: a text with one of the words is searched for the pattern
METRICS = (
    ("change from baseline", ("chang", "baseline", "relative", "minus"), (
        r"chang\w+ (?:in .{1,60})?(?:from|to|since|over|vs)\b|from baseline|baseline to "
        r"|to baseline|relative to|mean change|absolute change|minus"
    )),
    ("percent change", ("percent", "%", "relative"), (
        r"(?:percent\w*|%|relative) (?:\w+ )?(?:change|reduction|increase|decrease|improvement)"
    )),
    ("proportion", ("percent", "proport", "%", "with", "who", "achiev", "report", "rate", "frequen",
                    "inciden", "prevalen", "responder"), (
        r"percent\w* of|proportion|% of|participants (?:with|who|achiev|report)"
        r"|patients (?:with|who|achiev)|subjects (?:with|who|achiev)|\brates?\b|frequency"
        r"|incidence|prevalence|responder"
    )),
    ("number", ("number", "count"), r"\bnumbers? of|\bcounts?\b"),
    ("time to event", ("time", "survival", "duration", "hazard"), (
        r"\btime (?:to|until|till|from|between)\b|survival|duration of|hazard"
    )),
    ("mean", ("mean", "average"), r"\bmean\b|\baverage"),
    ("median", ("median",), r"\bmedian\b"),
    ("annualized", ("year", "annual"), r"annuali[sz]ed|-year\b|per year"),
    ("area under the curve", ("area under", "auc"), r"area under|\bauc"),
    ("maximum", ("maxim", "peak", "cmax", "worst", "highest"), (
        r"\bmaxim(?:um|al)\b|\bpeak\b|\bcmax\b|\bworst\b|\bhighest\b"
    )),
    ("total", ("total", "cumul", "sum of"), r"\btotal\b|\bcumulative\b|\bsum of\b"),
    ("composite", ("composite", "combined", "aggregate"), (
        r"\bcomposite\b|\bcombined\b|\baggregate"
    )),
    ("dichotomy", ("dichotom", "at least", "<", ">", "≥", "≤", "greater", "than"), (
        r"dichotom|at least \d|[<>≥≤]=? ?\d|greater than|less than \d|more than \d"
    )),
    ("log", ("log", "geometric"), r"\blog(?:e|10)?\b|logarithm|geometric"),
)  # fmt: skip

# what an outcome is measured with
INSTRUMENTS = _stems(
    "scale score questionnaire index inventory criteria recist irecist mrecist ctcae mri cmri "
    "ct pet echocardiography ultrasound assay pcr elisa test diary interview survey "
    "instrument tool checklist sphygmomanometer spirometry dynamometer angiography ivus oct "
    "qva qca radiography xray imaging scan scanner biopsy histology histopathology cytology "
    "culture clamp dexa dxa plethysmography accelerometer actigraphy monitor ecg eeg emg hplc "
    "laboratory blood serum plasma urine sample meddra rano iwg lugano cheson vas nrs mmse "
    "adas hamd panss sledai pasi acr das28 fev1 6mwt hba1c mdrd ckd bdi womac bilag edss mrs "
    "nihss updrs sf36 eq5d promis fact eortc whoqol tomography microscopy photograph "
    "electrocardiogram visual analog analogue likert central independent blinded investigator "
    "adjudicated physical examination"
)
