# NDW's traffic speeds and flows, travel times and measurement sites: DATEX II v2 in a SOAP envelope, and v3. A record is one site.
# Values have an index; what it stands for (lane, vehicles) only the site table of the same version says. Each index is a series,
# so each is a thing of its own: SITE-INDEX. A flow in vehicles per hour is what went by in the period, 60 s unless period=
# says otherwise. Values with dataError are dropped, and so is a speed of vehicles that were not there: -1, or 0 of none.
# sites=REGEX takes only those sites of the country that it fits.
include "oudp";

def found($name): [.. | objects | .[$name] | select(. != null)] | .[0];
def num: if type == "object" then (.["#text"] // .speed // .vehicleFlowRate) else . end | number;
def wrong: type == "object" and (.dataError == "true" or .dataError == true);
def used: if type == "object" then [.["@numberOfInputValuesUsed"] | number] | .[0] else null end;
def period: [($settings["period"] // "60") | tonumber] | .[0];

def site_id: (.measurementSiteReference // .measurementSiteRecordReference // {}) | if type == "object" then .["@id"] // .["#text"] else . end;
def when: (.measurementTimeDefault // .measurementOrCalculationTime) | if type == "object" then .timeValue // .["#text"] // .period.endOfPeriod else . end | strings | utc_time;

def error_or(f): if wrong then {} else f end;
def flow: error_or([if type == "object" then .vehicleFlowRate else . end | num | select(. >= 0)] | if length > 0 then {intensity: (.[0] * period / 3600 | rounded)} else {} end);
def speed: error_or(used as $n | [if type == "object" then .speed else . end | num | select(. > 0 or (. == 0 and $n != null and $n > 0))] | if length > 0 then {averageVehicleSpeed: .[0]} else {} end);
def travel: error_or(member("travelTime"; (if type == "object" then .duration // .travelTime else . end) | number | select(. > 0)));
def share: error_or(member("occupancy"; (if type == "object" then .percentage else . end) | number | select(. >= 0) | percent_to_share | rounded));

# The members that one index gives: v2 wraps a measuredValue in a measuredValue, v3 a physicalQuantity in a physicalQuantity.
def basic: (.measuredValue.basicData? // .physicalQuantity.basicData? // .basicData // found("basicData")) as $b
  | if ($b | type) != "object" then {}
    elif $b.vehicleFlow then $b.vehicleFlow | flow
    elif $b.averageVehicleSpeed then $b.averageVehicleSpeed | speed
    elif $b.travelTime then $b.travelTime | travel
    elif $b.occupancy then $b.occupancy | share
    else {} end;

def measurements:
  (site_id) as $site | ([when] | .[0]) as $time
  | ([.physicalQuantity, .measuredValue | several]) as $values
  | if ($site | type) != "string" then {refused: "no reference to a site"}
    elif $settings["sites"] != null and ($site | test($settings["sites"]) | not) then {ignored: "another site"}
    elif $time == null then {refused: "no time that can be read"}
    else
      ($site | topic_level) as $level
      | [$values[] | basic as $m
        | if $m == {} then empty
          else ($level + "-" + (.["@index"] // "1" | tostring)) as $thing
            | if $m.travelTime then {topic: (($settings["device"] // "city/device") + "/" + $thing), payload: {dateObserved: $time, refDevice: $thing, controlledProperty: "travelTime", numValue: $m.travelTime, unit: "s", source: "https://opendata.ndw.nu"}}
              else {topic: (topic("city/traffic") + $thing), payload: ({dateObserved: $time, site: $site, source: "https://opendata.ndw.nu"} + $m)} end
          end]
      | if length == 0 then {ignored: "no value that is valid"} else . end
    end;

if type != "object" then {refused: "no site"}
elif .["@element"] == "measurementSiteRecord" or .["@element"] == "measurementSite" then {ignored: "the table of sites"}
else measurements end
