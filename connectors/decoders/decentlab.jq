# Decentlab, protocol 2: version, device, flags, then for each flag the words of a group. Which groups those are only the
# model says: the argument, as in decentlab DL-CTD10 (data sheets of each model). Those that are calibrated one by one want
# their numbers behind the model: DL-PR26 pmin=0 pmax=1 (bar), DL-PR36 kp=8192, DL-TBRG resolution=0.1 (mm).
include "bytes";

# A group: [words, [[name, word, offset, divisor, unit], ...]]: a value is (word - offset) / divisor. Two words in an array
# are one number, the lower half first.
def mid: 32768;
def half: 8388608;
def battery: [1, [["battery_voltage", 0, 0, 1000, "V"]]];
def sht21($t; $h): [2, [[$t, 0, 46.85 * 65536 / 175.72, 65536 / 175.72, "Cel"], [$h, 1, 6 * 65536 / 125, 65536 / 125, "%"]]];
def sht21: sht21("temperature"; "humidity");
def sht35: [2, [["temperature", 0, 45 * 65535 / 175, 65535 / 175, "Cel"], ["humidity", 1, 0, 655.35, "%"]]];
def celsius($name; $word): [$name, $word, mid, 100, "Cel"];
def tenths($name; $word): [$name, $word, mid, 10, "Cel"];
def counter($channel): [4, [["pulse_count" + $channel, 0, 0, 1, "1"],
  ["cumulative_pulse_count" + $channel, [2, 3], 0, 1, "1"]]];
def head($name): [["surface_temperature", 0, 1000, 10, "Cel"], [$name, 1, 1000, 10, "Cel"]];
def road: [["surface_temperature", 0, mid, 100, "Cel"], celsius("dew_point"; 3), celsius("internal_temperature"; 5)];
def moist($word): ["soil_moisture", $word, 69.56 / 0.003879, 1 / 0.003879, "%"];
def probe: celsius("water_temperature"; 1);
def drill($from): [18, [range(6) | ["soil_moisture_\($from + .)", ., mid, 100, "%"],
  celsius("soil_temperature_\($from + .)"; . + 6), ["salinity_\($from + .)", . + 12, 100, 1, "1"]]];
def position($name; $divisor; $unit): [2, [[$name, [0, 1], half, half / $divisor, $unit]]];
def depth($p): [2, [["waterPressure", 0, 16384 - $p.pmin * 32768 / ($p.pmax - $p.pmin), 327.68 / ($p.pmax - $p.pmin), "kPa"],
  ["water_temperature", 1, 16384, 320, "Cel"]]];
def wind($at): [["wind_speed", $at, mid, 100, "m/s"], ["wind_direction", $at + 1, mid, 10, "deg"],
  ["maximum_wind_speed", $at + 2, mid, 100, "m/s"], tenths("temperature"; $at + 3)];
def weather($offset; $pressure): [17, [["solar_radiation", 0, mid, if $offset == 0 then 10 else 1 end, "W/m2"],
  ["precipitation", 1, $offset, 1000, "mm"], ["atmospheric_pressure", 9, mid, $pressure, "hPa"],
  ["humidity", 10, mid, 10, "%"]] + wind(4)];

# Numbers of the device itself that its model cannot do without.
def needs: {"DL-PR21": ["pmin", "pmax"], "DL-KL66": ["f0", "k"], "DL-PMC1": ["pmax"], "DL-DWS": ["f02", "s", "m0"], "DL-TBRG": ["resolution"],
  "DL-AC": [("no2", "no", "ox", "co") | . + "_we", . + "_s", . + "_aux"]};

def models($p): {
  "DL-5TE": [[3, [["soil_temperature", 1, 400, 10, "Cel"], ["conduct_soil", 2, 0, 0.1, "uS/cm"]]], battery],
  "DL-5TM": [[2, [["soil_temperature", 1, 400, 10, "Cel"]]], battery],
  "DL-10HS": [[1, []], battery],
  "DL-AC": [sht21, [2, []], [2, []], [2, []], [2, []], battery],
  "DL-ALB": [[2, [["solar_radiation", 0, mid, 10, "W/m2"], ["reflectedRadiation", 1, mid, 10, "W/m2"]]], battery],
  "DL-ATM22": [[8, wind(0)], battery],
  "DL-ATM41": [weather(mid; 10), battery],
  "DL-ATM41G2": [(weather(0; 10) | .[1] += [["lightningStrikes", 2, mid, 1, "1"],
    ["rainfall_total", [15, 16], 0, 1000, "mm"]]), battery],
  "DL-BLG": [[2, []], battery],
  "DL-CTD10": [[4, [["water_level", 0, mid, 1, "mm"], ["water_temperature", 1, mid, 10, "Cel"],
    ["conductivity", 2, 0, 1, "uS/cm"]]], battery],
  "DL-CTD10B": [[4, [["water_level", 0, mid, 1, "mm"], ["water_temperature", 1, mid, 10, "Cel"],
    ["conductivity", 2, 0, 0.5, "uS/cm"]]], battery],
  "DL-CWS": [[6, road + [celsius("temperature"; 1), ["humidity", 2, mid, 100, "%"]]], battery],
  "DL-CWS2": [sht35, [6, road + [celsius("headTemperature"; 1), ["headHumidity", 2, mid, 100, "%"]]], battery],
  "DL-DLR2-002": [counter(""), battery],
  "DL-DLR2-003": [[1, [["input", 0, 0, 1, "1"]]], battery],
  "DL-DLR2-004": [[1, [["current", 0, mid, 65536 * ($p.r // 10) / 3000, "mA"]]], battery],
  "DL-DLR2-005": [position("voltage"; 3; "V"), battery],
  "DL-DLR2-006": [position("position"; 1; "1"), battery],
  "DL-DLR2-008": [[2, []], battery],
  "DL-DLR2-009": [[2, []], battery],
  "DL-DLR2-010": [counter("_0"), counter("_1"), battery],
  "DL-DLR2-011": [[1, [["input_0", 0, 0, 1, "1"]]], [1, [["input_1", 0, 0, 1, "1"]]], battery],
  "DL-DLR2-012": [position("strain"; 1000000 / 16 / 2.02; "um/m"), battery],
  "DL-DS18": [[1, [["temperature", 0, mid, 16, "Cel"]]], battery],
  "DL-DS182": [[2, [["temperature_0", 0, mid, 16, "Cel"]]], [2, [["temperature_1", 0, mid, 16, "Cel"]]], battery],
  "DL-DWS": [[3, []], battery],
  "DL-EPAR": [[1, [["photosyntheticRadiation", 0, mid, mid * 64 / 300000, "umol/(m2.s)"]]], battery],
  "DL-GMM": [[7, [["photosyntheticRadiation", 0, mid, 10, "umol/(m2.s)"], celsius("temperature"; 1), ["humidity", 2, mid, 10, "%"],
    ["co2", 3, mid, 1, "ppm"], ["atmospheric_pressure", 4, mid, 10, "hPa"],
    ["vapourPressureDeficit", 5, mid, 100, "kPa"], celsius("dew_point"; 6)]], battery],
  "DL-GS3": [[3, [tenths("soil_temperature"; 1), ["conduct_soil", 2, 0, 1, "uS/cm"]]], battery],
  "DL-IAM": [battery, sht35,
    [1, [["atmospheric_pressure", 0, 0, 50, "hPa"]]], [2, []], [3, [["co2", 0, mid, 1, "ppm"]]],
    [1, [["activity", 0, 0, 1, "1"]]], [1, [["tvoc", 0, 0, 1, "ppb"]]]],
  "DL-IFD": [[1, [["fruitSize", 0, 0, 100, "mm"]]], battery],
  "DL-ILT": [[1, [celsius("leafTemperature"; 0)]], battery],
  "DL-ISD": [[1, [["stemSize", 0, 0, 1000, "mm"]]], battery],
  "DL-ISF": [[16, [["sapFlow", 0, 3125, 62.5, "L/h"], ["heatVelocityOuter", 1, 3125, 62.5, "cm/h"],
    ["heatVelocityInner", 2, 3125, 62.5, "cm/h"], celsius("stemTemperature"; 9)]], battery],
  "DL-ITST": [[2, head("internal_temperature")], battery],
  "DL-KL66": [[3, []], battery],
  "DL-LID": [[11, [["distance", 0, 0, 1, "mm"]]], battery],
  "DL-LP8P": [sht21, [2, [["internal_temperature", 0, 5000, 100, "Cel"], ["atmospheric_pressure", 1, 0, 50, "hPa"]]],
    [8, [["co2", 0, mid, 1, "ppm"]]], battery],
  "DL-LPW": [position("position"; 100; "%"), battery],
  "DL-LWS": [position("leafWetness"; 1; "1"), battery],
  "DL-MBX": [[2, [["distance", 0, 0, 1, "mm"]]], battery],
  "DL-MES5": [[5, [probe, ["sludgeBlanket", 2, 0, 100, "%"], ["suspendedSolids", 3, 0, 100, "g/L"],
    ["turbidityFAU", 4, 0, 10, "[FAU]"]]], battery],
  "DL-NTU": [[5, [probe, ["turbidity", 2, 0, 10, "[NTU]"], ["suspendedSolids", 4, 0, 10, "mg/L"]]], battery],
  "DL-OPTOD": [[5, [probe, ["oxygenSaturation", 2, mid, 100, "%"], ["dissolved_oxygen", 3, mid, 100, "mg/L"]]], battery],
  "DL-PAR": [[1, [["photosyntheticRadiation", 0, mid, mid / 15000, "umol/(m2.s)"]]], battery],
  "DL-PHEHT": [[5, [probe, ["ph", 2, mid, 100, "[pH]"], ["redox", 3, mid, 10, "mV"]]], battery],
  "DL-PM": [battery, [10, [["pm1", 0, 0, 10, "ug/m3"], ["pm2_5", 1, 0, 10, "ug/m3"], ["pm4", 2, 0, 10, "ug/m3"],
    ["pm10", 3, 0, 10, "ug/m3"], ["typicalParticleSize", 4, 0, 1, "nm"]]], sht21,
    [1, [["atmospheric_pressure", 0, 0, 50, "hPa"]]]],
  "DL-PMC1": [position("waterPressure"; ($p.pmax // 1) * 100 / 0.32; "kPa"), battery],
  "DL-PR21": [depth({pmin: 0, pmax: 1} + $p), battery],
  "DL-PR26": [depth({pmin: 0, pmax: 1} + $p), battery],
  "DL-PR36": [[2, [["waterPressure", 0, mid, ($p.kp // 8192) / 100, "kPa"], ["water_temperature", 1, mid, 256, "Cel"]]],
    battery],
  "DL-PR36CTD": [[4, [["waterPressure", 0, mid, ($p.kp // 8192) / 100, "kPa"], ["internal_temperature", 1, mid, 256, "Cel"],
    ["water_temperature", 2, mid, 256, "Cel"], ["conductivity", 3, mid, ($p.kec // 1024) / 1000, "uS/cm"]]], battery],
  "DL-PYR": [[1, [["solar_radiation", 0, mid, mid / 15000, "W/m2"]]], battery],
  "DL-RAD": [[4, [["distance", 0, 0, 1, "mm"], celsius("internal_temperature"; 1)]], battery],
  "DL-RHC": [[4, [["humidity", 2, 0, 100, "%"], celsius("temperature"; 3)]], battery],
  "DL-SDD": [drill(0), drill(6), battery],
  "DL-SHT21": [sht21, battery],
  "DL-SHT35": [sht35, battery],
  "DL-SMTP": [[16, [range(8) | ["soilMoistureIndex_\(.)", 2 * ., 2500, 500, "1"],
    celsius("soil_temperature_\(.)"; 2 * . + 1)]], battery],
  "DL-TBRG": [[4, [["precipitation", 0, 0, 1 / ($p.resolution // 1), "mm"],
    ["rainfall_total", [2, 3], 0, 1 / ($p.resolution // 1), "mm"]]], battery],
  "DL-TP": [[16, [range(16) | celsius("temperature_\(.)"; .)]], battery],
  "DL-TRS11": [[2, [moist(0), tenths("soil_temperature"; 1)]], battery],
  "DL-TRS12": [[3, [moist(0), tenths("soil_temperature"; 1), ["conduct_soil", 2, 0, 1, "uS/cm"]]], battery],
  "DL-TRS21": [[2, [["waterPotential", 0, 0, -10, "kPa"], tenths("soil_temperature"; 1)]], battery],
  "DL-UVA": [[1, [["uvARadiation", 0, mid, mid * 64 / 30000, "W/m2"]]], battery],
  "DL-UVEAS-001": [[1, []], battery],
  "DL-WRM": [sht35, [2, head("internal_temperature")], battery],
  "DL-ZN1": [position("dendrometerPosition"; 20000; "um"), battery],
  "DL-ZN2": [[4, [["dendrometerPositionA", [0, 1], half, half / 20000, "um"]]], battery],
  "DL-ZN11O": [position("dendrometerPosition"; 20000; "um"), battery]};

# What is no straight line: light, the water content of soil, thermistors, strings that vibrate, electrochemical cells.
def illuminance($x): [$x[0] - 1.64 * $x[1], 0.59 * $x[0] - 0.86 * $x[1], 0] | max * 1.5504;
def cubic($e; $a; $b; $c; $d): {soil_moisture: {value: (100 * ((($a * $e + $b) * $e + $c) * $e + $d)), unit: "%"}};
def ratio($x): ($x[0] + 65536 * $x[1]) / half - 1;
def globe($x): (1000 / (ratio($x) / 2) - 41000) as $r
  | if $r <= 0 then {} else ($r | log) as $l
    | {globeTemperature: {value: (1 / (0.0008271111 + 0.000208802 * $l + 0.000000080592 * $l * $l * $l) - 273.15), unit: "Cel"}} end;
def thermistor($q; $p; $a; $b; $c): ($q * ($p.r // 2000) / (1 - $q)) as $r | {temperature: {value: ($a + $b * $r + $c * $r * $r), unit: "Cel"}};
def hertz($x): $x[0] / $x[1] * 32768;
def string($x; $p): (hertz($x) | (. * . - $p.f0 * $p.f0) * $p.k / 1000000) as $g
  | {weight: {value: $g, unit: "g"}, elongation: {value: ($g * -0.0015 * 9.8067), unit: "um"}};
# A cell's voltage against that of the one beside it that the gas does not reach.
def cell($x; $p; $gas): {($gas): {value: ((3000 * ($x[1] / mid - 1) - $p[$gas + "_we"] + $p[$gas + "_aux"]) / $p[$gas + "_s"]), unit: "ppb"}};
def curved($model; $group; $x; $p):
  if $model == "DL-IAM" and $group == 3 then {illuminance: {value: illuminance($x), unit: "lx"}}
  elif $model == "DL-AC" and $group > 0 and $group < 5 then cell($x; $p; ["no2", "no", "ox", "co"][$group - 1])
  elif $group > 0 then {}
  elif $model == "DL-5TM" or $model == "DL-5TE" then cubic($x[0] / 50; 0.0000043; -0.00055; 0.0292; -0.053)
  elif $model == "DL-GS3" then cubic($x[0] / 100; 0.00000589; -0.000762; 0.0367; -0.0753)
  elif $model == "DL-10HS" then cubic(3000 * ($x[0] - mid) / mid; 0.00000000297; -0.00000737; 0.00669; -1.92)
  elif $model == "DL-ALB" then (if $x[0] > mid and $x[1] > mid then {albedo: (($x[1] - mid) / ($x[0] - mid))} else {} end)
  elif $model == "DL-BLG" then globe($x)
  elif $model == "DL-DLR2-008" then thermistor(ratio($x) / 2; $p; -244.83; 2.3419; 0.0010664)
  elif $model == "DL-DLR2-009" then thermistor(ratio($x); $p; -245.18; 0.23469; 0.0000104876)
  elif $model == "DL-KL66" then string($x; $p)
  elif $model == "DL-DWS" then {weight: {value: ((hertz($x) | . * . - $p.f02) * $p.s + $p.m0), unit: "g"}}
  elif $model == "DL-UVEAS-001" then {uv_index: ((3000 * ($x[0] / mid - 1)) / 150 | floor)}
  elif $model == "DL-ZN2" then {dendrometerPositionB: {value: ((ratio($x) - ratio($x[2:])) * 20000), unit: "um"}}
  else {} end;

# A word of zeros where zero is in the middle: no sensor on that channel.
def value($x): (if .[1] | type == "array" then .[1] as [$low, $high] | $x[$low] + 65536 * $x[$high] else $x[.[1]] end) as $word
  | select(.[2] < 1000 or $word != 0) | {(.[0]): {value: (($word - .[2]) / .[3]), unit: .[4]}};

(.argument | split(" ") | map(select(. != ""))) as $words | ($words[0] // "" | ascii_upcase) as $model
| ([$words[1:][] | split("=") | . as $w | {(.[0] | ascii_downcase):
    (.[1] | try tonumber catch error("the argument must have a number in \($w[0])=..."))}] | add // {}) as $p
| models($p)[$model] as $groups | ([needs[$model] // [] | .[] | select($p[.] == null)]) as $missing
| if $groups == null then error("the argument must name one of its models: " + (models({}) | keys | join(", ")))
  elif ($missing | length) > 0 then error("the argument must have this device's own \($missing | join(", ")), as in \($model) \($missing[0])=1")
  elif unsigned(0; 1) != 2 then error("not version 2 of the protocol")
  else . as $frame
    | reduce range($groups | length) as $i ({at: 5, members: {}};
      . as $s | if $frame | bit(4 - ($i / 8 | floor); $i % 8) == 0 then . else
        [range($groups[$i][0]) | $s.at + 2 * . | . as $at | $frame | unsigned($at; 2)] as $x
        | {at: ($s.at + 2 * $groups[$i][0]),
           members: ($s.members + ([$groups[$i][1][] | value($x)] | add // {}) + curved($model; $i; $x; $p))} end)
    | .members end
