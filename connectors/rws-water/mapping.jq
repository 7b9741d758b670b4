# Rijkswaterstaat's WaterWebservices: OphalenWaarnemingen and OphalenLaatsteWaarnemingen, also as the old service gave them,
# and the WFS layer with the latest values. Tijdstip has +01:00 all year; TIJDSTIP of the WFS is a wall clock that says Z:
# it is of the block's zone. Quality 99 and 999999999 are gaps. Only measurements are taken: forecasts and tides by
# calculation are not seen.
include "oudp";
include "measure";

# Grootheid: [feed, member, unit]
def quantities: {"WATHTE": ["water", "waterLevel", "m"], "Q": ["water", "flow", "m3/s"],
  "Hm0": ["water", "swellHeight", "m"], "HM0": ["water", "swellHeight", "m"], "Tm02": ["water", "swellPeriod", "s"],
  "TM02": ["water", "swellPeriod", "s"], "Th0": ["water", "swellDirection", "deg"],
  "TH0": ["water", "swellDirection", "deg"], "WINDSHD": ["weather", "windSpeed", "m/s"],
  "WINDRTG": ["weather", "windDirection", "deg"], "WINDST": ["weather", "gustSpeed", "m/s"],
  "LUCHTDK": ["weather", "atmosphericPressure", "hPa"], "T": ["device", "waterTemperature", "Cel"],
  "GELDHD": ["device", "conductivity", "mS/cm"],
    "SALNTT": ["device", "salinity", "1"], "TROEBHD": ["device", "turbidity", "[NTU]"],
    "ZICHT": ["device", "visibility", "m"]};
def documented: {"WATHTE": "cm", "Q": "m3/s", "Hm0": "cm", "HM0": "cm", "Tm02": "s", "TM02": "s", "WINDSHD": "m/s",
  "WINDRTG": "deg", "LUCHTDK": "hPa", "T": "Cel"};
def rws_unit: if type != "string" then null else {"oC": "Cel", "graad": "deg", "DIMSLS": "1", "mS/m": "mS/m", "S/m": "S/m",
  "dm": "dm", "m3/s": "m3/s", "s": "s", "NTU": "[NTU]", "FTU": "[NTU]", "FNU": "[NTU]"}[.] // ucum end;

# One value. $m: quantity, unit, datum, code, place, kind of process.
def value($m; $time; $v; $quality):
  (if $m.quantity == "T" and $m.compartment == "LT" then ["weather", "temperature", "Cel"]
   else quantities[$m.quantity // ""] end) as $q | ($m.unit | rws_unit // documented[$m.quantity // ""]) as $u
  | ([$v | number | select(fabs < 900000)] | .[0]) as $n
  | if $q == null then {ignored: ("no member for " + ($m.quantity | tostring))}
    elif ($m.process // "meting") != "meting" then {ignored: ("no measurement: " + $m.process)}
    elif $n == null or (($quality // "00") | tostring) == "99" then {ignored: "a gap"}
    elif $time == null then {refused: "no time that can be read"}
    elif ($m.code | type) != "string" then {refused: "no location"}
    else
      ([{n: $n, u: $u} | if .u == null then empty elif .u == $q[2] then .n else in_unit($q[2]) end] | .[0]) as $x
      | if $x == null then {ignored: ("a unit that is not converted: " + ($u | tostring))}
        else
          ($m.code + (if $q[1] == "waterLevel" and ($m.datum // "NAP" | . != "NAP" and . != "NVT") then "-" + $m.datum
            else "" end) | topic_level) as $thing
          | ({dateObserved: $time} + member("location"; $m.place) + member("name"; $m.name)) as $base
          | {topic: (($settings[$q[0]] // ("city/" + $q[0])) + "/" + $thing),
             payload: ($base + (if $q[0] == "device" then {refDevice: $thing, controlledProperty: $q[1], numValue: $x,
               unit: $q[2]} else {($q[1]): $x} end)
               + (if $q[1] == "waterLevel" then member("datum"; $m.datum) else {} end))}
        end
    end;

def code: if type == "object" then .Code else . end;
def series: (.AquoMetadata // {}) as $a | (.Locatie // {}) as $l
  | {quantity: ($a.Grootheid | code), unit: ($a.Eenheid | code), compartment: ($a.Compartiment | code),
    datum: ($a.Hoedanigheid | code | if . == "NVT" then null else . end), code: ($l.Code // null), name: ($l.Naam // null),
    process: ($a.ProcesType // null),
     place: ([point($l.Lon; $l.Lat)] | .[0])} as $m
  | (.MetingenLijst | several) as $x
  | value($m; ([$x.Tijdstip | utc_time] | .[0]); ([$x.Meetwaarde | objects | .Waarde_Numeriek] | .[0]);
      ([$x.WaarnemingMetadata | objects | .Kwaliteitswaardecode // .KwaliteitswaardecodeLijst | if type == "array" then .[0]
        else . end] | .[0]));
def feature: .properties as $p
  | value({quantity: $p.GROOTHEIDCODE, unit: $p.EENHEIDCODE, compartment: $p.COMPARTIMENTCODE, datum: ($p.HOEDANIGHEIDCODE | if . == "NVT" then null
    else . end), code: $p.CODE, name: $p.NAAM, process: "meting",
    place: ([.geometry | objects | point(.coordinates[0]; .coordinates[1])] | .[0])};
      ([$p.TIJDSTIP_LAATSTE_METING | strings | sub("(Z|z)$"; "") | utc_time] | .[0]); $p.WAARDE_LAATSTE_METING;
        $p.KWALITEITSWAARDE_CODE);

if type != "object" then {refused: "no answer of WaterWebservices"}
elif .Succesvol == false or .Succesvol == "false" then {ignored: ("the service has nothing: "
  + (.Foutmelding // "" | tostring))}
elif has("WaarnemingenLijst") then [.WaarnemingenLijst | several | each(series)] | if length == 0
  then {ignored: "no observations"} else . end
elif has("AquoMetadata") then [each(series)]
elif .type == "FeatureCollection" then [.features[]? | each(feature)] | if length == 0 then {ignored: "no features"} else . end
elif .type == "Feature" then each(feature)
else {refused: "no answer of WaterWebservices"} end
