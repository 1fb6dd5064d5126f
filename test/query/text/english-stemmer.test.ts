import assert from 'node:assert/strict';
import { stemEnglish } from '../../../query/text/english-stemmer.ts';

/** Word and stem, from the vocabulary that the Snowball project publishes with its algorithm. */
const STEMS = `consign consign, consigned consign, consigning consign, consignment consign, consist consist,
  consisted consist, consistency consist, consistent consist, consistently consist, consisting consist, consists consist,
  consolation consol, consolations consol, consolatory consolatori, console consol, consoled consol, consoles consol,
  consolidate consolid, consolidated consolid, consolidating consolid, consoling consol, consolingly consol,
  consols consol, consonant conson, consort consort, consorted consort, consorting consort, conspicuous conspicu,
  conspicuously conspicu, conspiracy conspiraci, conspirator conspir, conspirators conspir, conspire conspir,
  conspired conspir, conspiring conspir, constable constabl, constables constabl, constance constanc, constancy constanc,
  constant constant, knack knack, knackeries knackeri, knacks knack, knag knag, knave knave, knaves knave, knavish knavish,
  kneaded knead, kneading knead, knee knee, kneel kneel, kneeled kneel, kneeling kneel, kneels kneel, knees knee, knell knell,
  knelt knelt, knew knew, knick knick, knif knif, knife knife, knight knight, knightly knight, knights knight, knit knit,
  knits knit, knitted knit, knitting knit, knives knive, knob knob, knobs knob, knock knock, knocked knock, knocker knocker,
  knockers knocker, knocking knock, knocks knock, knopp knopp, knot knot, knots knot,
  generate generat, generates generat, generic generic, generically generic, generous generous, generously generous,
  communication communic, community communiti, arsenal arsenal, happy happi, cry cri, by by, say say, hoping hope, hopping hop,
  luxuriated luxuri, sensational sensat, kiwis kiwi, gas gas, this this, gaps gap, ties tie, cries cri, exceed exceed,
  exceeds exceed, bed bed, shed shed, organization organ, dying die, skies sky, news news, inning inning, innings inning,
  running run, runs run, coffee coffe, coffees coffe, relational relat, conditional condit, hopeful hope, goodness good,
  cat's cat, cats' cat, formative format, formalize formal, adjustable adjust, replacement replac, controlling control,
  youth youth, boyish boyish, fly fli, flying fli, singly singl, yes yes`;

describe('text: English stems', () => {
  for (const pair of STEMS.split(',')) {
    const [word, stem] = pair.trim().split(/\s+/);
    it(`of ${word} is ${stem}`, () => assert.equal(stemEnglish(word), stem));
  }
});
