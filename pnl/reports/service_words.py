"""What each service measure means, and the trap in it: the words behind `pnl report service`."""

from collections.abc import Mapping
from typing import Final

WORDS: Final[Mapping[str, str]] = {
    "RUL-DIMS": "A chain's queue, team, agent, channel, reason and kind are those of its last"
    " connected leg, else of its last.",
    "KPI-OFFERED": "Chains that ended in the period, whatever became of them; calls placed to a"
    " control arm are none.",
    "KPI-HANDLED": "Chains with a connected leg, or contained by self-service. Transfer legs are"
    " one handled contact; many systems count each. Tests, wrong numbers, phantoms are none, and"
    " an agent's handle time without talk does not make a contact handled.",
    "KPI-AHT": "(Talk + hold + wrap-up of all legs of handled chains) / handled. A chain stands at"
    " its end for the customer, wrap-up follows it: systems that stamp at the end of the wrap-up"
    " put the same call in a later interval.",
    "KPI-OCC": "On-contact wall time / (on-contact + idle). Two chats at once are 100 %, not"
    " 200 %: their union counts. On contact is from the connection to the end of the wrap-up;"
    " idle is the rest of the shift. A shift is a payroll cost of an agent for up to 24 hours;"
    " days of agents without one are left out, and without any the figure is unknown. By queue,"
    " channel, reason or kind: all time of the agents who served it that day.",
    "KPI-ABANDON": "Left in queue / (left in queue + handled), inbound, without self-service."
    " Those who left within `short_s` seconds (5) are in neither number; callbacks are outbound"
    " contacts, not abandons.",
    "KPI-WAIT": "Mean wait in queue of handled inbound chains, all legs together; beside it that"
    " of those who abandoned.",
    "KPI-TRANSFER": "Handled chains with more than one connected leg / handled.",
    "KPI-CASES": "Cases whose first handled contact ended in the period. A case counts there once"
    " with all its contacts, later ones too.",
    "KPI-YOUNG": "Cases whose first contact ended less than F (7 days) before *as of*: they are in"
    " no rate yet.",
    "KPI-FCR": "Cases with no other contact until F (7 days) after the first one's end, and"
    " resolved by then / cases old enough to tell (= first contacts). A call of the same customer"
    " about something else is another case and no failure: a repeat contact is not an unresolved"
    " one. A case of which nobody said that it was resolved is not in the first number. Abandoned"
    " attempts are contacts. Contacts without a case are not seen.",
    "KPI-FCR-ALL": "The same cases / all handled contacts of those cases. Both figures are called"
    " first contact resolution; this one is always the lower.",
    "KPI-KNOWN": "Cases with a resolution fact / cases old enough to tell. Of the others nobody"
    " said what became of them: they are unknown, and never resolved (DEF-OUTCOME).",
    "KPI-FCR-KNOWN": "The same cases / old enough cases whose outcome is known. What was not told"
    " may differ from what was.",
    "KPI-RESOLVED": "Cases that stand resolved / old enough cases with a known outcome. The"
    " latest resolution decides; a contact of the case within F after it makes it"
    " unresolved again (DEF-OUTCOME).",
    "KPI-ONETOUCH": "Resolved cases with fewer than two connected agent legs / resolved cases."
    " None counts too (self-service); a transfer makes two.",
    "KPI-REOPEN": "Cases resolved more than once / cases resolved at least once. A case is counted"
    " once, however often it was resolved.",
    "KPI-RESPONSE": "Touchpoints (the case if known, else the contact) with an answer / handled"
    " touchpoints. The case's latest answer stands with its last handled contact.",
    "KPI-CSAT": "Good answers / answers on the scale; good is `csat_good` (4) or more of"
    " `csat_max` (5). Asked and not answered is neither good nor bad: see the response rate.",
    "KPI-NPS": "Share of 9 and 10 less share of 0 to 6, in parts per million of 1 (500,000 = 50"
    " points). 7 and 8 count in the base. Adjusted Wald interval.",
    "KPI-CES": "Mean effort as answered, on a scale up to `ces_max` (7). Scales differ, and on"
    " some the high end is the easy one: compare within one survey only.",
    "KPI-CPC": "What the chains cost (handling, channel, concessions: C1 + C3 + C4) / handled."
    " Abandoned contacts cost money too and are in it; overhead is not.",
    "KPI-CPC-C": "All of C that is effective in the period, without overhead (C5) / handled."
    " Known for times only: idle time and the like belong to no queue.",
    "KPI-CPC-C5": "All of C that is effective in the period, overhead included / handled. Known"
    " for times only. Overhead is allocated: no contact caused it.",
    "KPI-CPCASE": "What all contacts of the cases cost (C1 + C3 + C4) / cases.",
    "KPI-CPR": "What all contacts of the cases cost, unresolved ones too / cases resolved at least"
    " once; a reopened case counts once.",
    "KPI-CPR-C": "All of C that is effective in the period, with and without overhead / cases"
    " resolved. Contacts without a case are in the cost and not among the cases.",
    "KPI-CONTACT-RATE": "Handled or abandoned chains of known customers / customers who placed an"
    " order in the period. Another number than contacts per order; by queue and the like the"
    " customers are still those of the whole company.",
    "KPI-CONV": "Chains in which a product was sold (A1a) / handled. Upgrades, maintenance and"
    " support sold in a contact are not in it. By agent drawn to the mean of all agents.",
    "KPI-SALE": "Mean of what those orders came to in the shown currency, before refunds.",
    "KPI-ATTR": "Agents seen no more for `absent_days` (60) days / agents seen in an average month,"
    " a year. As far as contacts show it: who changed to other work is taken for gone, and of the"
    " last `absent_days` days nothing can be told. Known for times only.",
    "KPI-ATTR-COST": "What leaving cost as booked (cost kind attrition) / agents seen no more:"
    " hiring, training and slow first weeks as far as somebody booked them so.",
    "G-AGENT": "By agent a rate needs 30 cases, and is drawn to the mean of all agents by how"
    " little it knows (DEF-POOL).",
}
