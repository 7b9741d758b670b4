# openSenseMap boxes with their last measurements (/boxes?full=true&bbox=... or /boxes/ID). What a sensor measures is free
# text, mostly German: it is guessed from title and unit together, and only where both agree. A value too far from what its
# unit can mean (Luftdruck in "hPa" of 99133) is what the other unit would make of it. Values are texts; each has its own
# time.
include "oudp";
include "measure";

def title: ascii_downcase | gsub("\u00e4"; "ae") | gsub("\u00fc"; "ue") | gsub("[^a-z0-9]"; "");
# title: [feed, member]
def kinds: {"pm10": ["air", "pm10"], "pm25": ["air", "pm25"], "pm1": ["air", "pm1"], "pm4": ["air", "pm4"],
  "temperatur": ["weather", "temperature"], "temperature": ["weather", "temperature"],
  "lufttemperatur": ["weather", "temperature"], "temperatuur": ["weather", "temperature"],
  "relluftfeuchte": ["weather", "relativeHumidity"], "luftfeuchte": ["weather", "relativeHumidity"],
  "luftfeuchtigkeit": ["weather", "relativeHumidity"], "relativeluftfeuchte": ["weather", "relativeHumidity"],
  "humidity": ["weather", "relativeHumidity"], "relativehumidity": ["weather", "relativeHumidity"],
  "luchtvochtigheid": ["weather", "relativeHumidity"], "luftdruck": ["weather", "atmosphericPressure"],
  "airpressure": ["weather", "atmosphericPressure"], "pressure": ["weather", "atmosphericPressure"],
  "luchtdruk": ["weather", "atmosphericPressure"], "windgeschwindigkeit": ["weather", "windSpeed"],
  "windspeed": ["weather", "windSpeed"], "windrichtung": ["weather", "windDirection"],
  "winddirection": ["weather", "windDirection"], "beleuchtungsstaerke": ["weather", "illuminance"],
  "illuminance": ["weather", "illuminance"],
    "lautstaerke": ["noise", "LAeq"], "noise": ["noise", "LAeq"]};
def unit_of: {"pm10": "ug/m3", "pm25": "ug/m3", "pm1": "ug/m3", "pm4": "ug/m3", "temperature": "Cel",
  "relativeHumidity": "1", "atmosphericPressure": "hPa", "windSpeed": "m/s", "windDirection": "deg", "illuminance": "lx",
  "LAeq": "dB"};

def sensor($thing; $base):
  (.title // "" | tostring | title) as $t | kinds[$t] as $k
  | (.lastMeasurement | objects) as $m
  | ([$m.value | number_not([-999, -9999])] | .[0]) as $v | ([$m.createdAt | utc_time] | .[0]) as $time
  | (.unit // "" | tostring | gsub("µ|μ"; "u") | ucum) as $u0
  | if $k == null then {ignored: "a sensor of another kind"}
    elif $v == null or $time == null then {ignored: "no value"}
    else
      (if $k[1] == "atmosphericPressure" and $u0 == "hPa" and $v > 20000 then "Pa" elif $k[1] == "atmosphericPressure"
        and $u0 == "Pa" and $v > 300 and $v < 1200 then "hPa" else $u0 end) as $u
      | ([{n: $v, u: $u} | in_unit(unit_of[$k[1]])] | .[0]) as $n
      | if $n == null then {ignored: ("a unit that is not of this quantity: " + $u)}
        else {topic: (($settings[$k[0]] // ("city/" + $k[0])) + "/" + $thing),
          payload: ($base + {dateObserved: $time, ($k[1]): $n})} end
    end;

def box:
  if (._id | type) != "string" or (.sensors | type) != "array" then {refused: "no box with sensors"}
  elif .exposure == "indoor" and $settings["indoor"] != "take" then {ignored: "indoors"}
  else
    ("osem-" + ._id | topic_level) as $thing
    | ((.currentLocation // (.loc | if type == "array" then .[0].geometry else . end)) | objects
      | point(.coordinates[0]; .coordinates[1])) as $place
    | [.sensors[] | objects | sensor($thing; {source: "https://opensensemap.org", location: $place})]
    | if length == 0 then {ignored: "a box without sensors"} else . end
  end // {ignored: "a box without a place"};
if type == "array" then [.[] | each(box)] else each(box) end
